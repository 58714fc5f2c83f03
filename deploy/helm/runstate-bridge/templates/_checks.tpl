{{/* What no schema can see: values that contradict each other, or miss what no process starts without. */}}
{{- define "runstate-bridge.checks" -}}
{{- $values := .Values -}}
{{- range $name, $_ := $values.secrets -}}
{{- if hasKey $values.config $name }}{{ fail (printf "%s stands in config and in secrets" $name) }}{{ end -}}
{{- end -}}
{{- range $name, $_ := $values.files -}}
{{- if hasKey $values.config $name }}{{ fail (printf "%s stands in config and in files" $name) }}{{ end -}}
{{- end -}}
{{- $redis := list "REDIS_URL" "REDIS_SENTINELS" "REDIS_CLUSTER" -}}
{{- $given := list -}}
{{- range $redis -}}
{{- if or (hasKey $values.config .) (hasKey $values.secrets .) }}{{ $given = append $given . }}{{ end -}}
{{- end -}}
{{- if ne (len $given) 1 -}}
{{- fail (printf "config or secrets must have one of %s" (join ", " $redis)) -}}
{{- end -}}
{{- $certificate := or (hasKey $values.config "TLS_CERT_FILE") (hasKey $values.files "TLS_CERT_FILE") -}}
{{- $key := or (hasKey $values.config "TLS_KEY_FILE") (hasKey $values.files "TLS_KEY_FILE") -}}
{{- if ne $certificate $key }}{{ fail "TLS_CERT_FILE and TLS_KEY_FILE need each other" }}{{ end -}}
{{- if and $values.workloadIdentity.enabled (or (hasKey $values.config "AZURE_FEDERATED_TOKEN_FILE") (hasKey $values.files "AZURE_FEDERATED_TOKEN_FILE")) -}}
{{- fail "AZURE_FEDERATED_TOKEN_FILE is set by workloadIdentity" -}}
{{- end -}}
{{- if and $values.workloadIdentity.enabled (not (hasKey $values.files "TENANTS_FILE")) (not (hasKey $values.config "TENANTS_FILE")) -}}
{{- range list "AZURE_TENANT_ID" "AZURE_CLIENT_ID" -}}
{{- if not (hasKey $values.config .) }}{{ fail (printf "workloadIdentity needs config.%s" .) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end }}
