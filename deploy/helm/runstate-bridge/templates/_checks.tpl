{{/* What no schema can see: values that contradict each other, or miss what no process starts without. */}}
{{- define "runstate-bridge.checks" -}}
{{- $values := .Values -}}
{{- $config := .Values.config | default dict -}}
{{- $secrets := .Values.secrets | default dict -}}
{{- $files := .Values.files | default dict -}}
{{- $own := include "runstate-bridge.fullname" . -}}
{{- if not (regexMatch "^[a-z]([a-z0-9-]*[a-z0-9])?$" $own) }}{{ fail (printf "a Service cannot be called %s: set fullnameOverride" $own) }}{{ end -}}
{{- range $name, $_ := $secrets -}}
{{- if hasKey $config $name }}{{ fail (printf "%s stands in config and in secrets" $name) }}{{ end -}}
{{- end -}}
{{- range $name, $_ := $files -}}
{{- if hasKey $config $name }}{{ fail (printf "%s stands in config and in files" $name) }}{{ end -}}
{{- end -}}
{{- $redis := list "REDIS_URL" "REDIS_SENTINELS" "REDIS_CLUSTER" -}}
{{- $given := list -}}
{{- range $redis -}}
{{- if or (hasKey $config .) (hasKey $secrets .) }}{{ $given = append $given . }}{{ end -}}
{{- end -}}
{{- if ne (len $given) 1 -}}
{{- fail (printf "config or secrets must have one of %s" (join ", " $redis)) -}}
{{- end -}}
{{- if ne (hasKey $config "REDIS_SENTINELS") (hasKey $config "REDIS_SENTINEL_NAME") }}{{ fail "REDIS_SENTINELS and REDIS_SENTINEL_NAME need each other" }}{{ end -}}
{{- $drain := $config.DRAIN_MS | default 0 | int64 -}}
{{- if and (gt $drain 0) (ge $drain ($config.SHUTDOWN_GRACE_MS | default 20000 | int64)) }}{{ fail "DRAIN_MS must be less than SHUTDOWN_GRACE_MS, which counts it" }}{{ end -}}
{{- $certificate := or (hasKey $config "TLS_CERT_FILE") (hasKey $files "TLS_CERT_FILE") -}}
{{- $key := or (hasKey $config "TLS_KEY_FILE") (hasKey $files "TLS_KEY_FILE") -}}
{{- if ne $certificate $key }}{{ fail "TLS_CERT_FILE and TLS_KEY_FILE need each other" }}{{ end -}}
{{- if and $values.workloadIdentity.enabled (or (hasKey $config "AZURE_FEDERATED_TOKEN_FILE") (hasKey $files "AZURE_FEDERATED_TOKEN_FILE")) -}}
{{- fail "AZURE_FEDERATED_TOKEN_FILE is set by workloadIdentity" -}}
{{- end -}}
{{- if and $values.workloadIdentity.enabled (not (hasKey $files "TENANTS_FILE")) (not (hasKey $config "TENANTS_FILE")) -}}
{{- range list "AZURE_TENANT_ID" "AZURE_CLIENT_ID" -}}
{{- if not (hasKey $config .) }}{{ fail (printf "workloadIdentity needs config.%s" .) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- $accounts := $values.serviceAccount -}}
{{- if and $accounts.create $accounts.apiName (eq $accounts.apiName $accounts.workerName) -}}
{{- fail "serviceAccount.apiName and workerName must differ: what opens Graph is for the workers alone" -}}
{{- end -}}
{{- $network := $values.networkPolicy -}}
{{- if and $network.enabled $network.apiFrom (not $network.metricsFrom) (or $values.monitoring.podMonitors $values.autoscaling.enabled) -}}
{{- fail "networkPolicy.apiFrom keeps Prometheus from the API: name it in networkPolicy.metricsFrom" -}}
{{- end -}}
{{- range $role := list "api" "worker" -}}
{{- $bounds := get $values.autoscaling $role -}}
{{- if gt (int $bounds.minReplicas) (int $bounds.maxReplicas) }}{{ fail (printf "autoscaling.%s.minReplicas is above its maxReplicas" $role) }}{{ end -}}
{{- end -}}
{{- end }}
