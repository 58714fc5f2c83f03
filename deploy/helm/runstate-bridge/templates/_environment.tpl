{{/* The variables of a role, and the files that some of them name. */}}

{{/* Whether a variable is for a role: what devices prove themselves by stays with the API, what opens Graph with the workers. */}}
{{- define "runstate-bridge.isFor" -}}
{{- $api := regexMatch "^(DEVICE_GROUP_KEYS|OPERATOR_TOKEN|TLS_CERT_FILE|TLS_KEY_FILE|DEVICE_CA_FILE)$" .name -}}
{{- $worker := regexMatch "^(AZURE_CLIENT_(SECRET|CERTIFICATE)|AZURE_FEDERATED_|IDENTITY_ENDPOINT$|DIRECTORY_)" .name -}}
{{- if not (or (and $api (eq .role "worker")) (and $worker (eq .role "api"))) -}}
yes
{{- end -}}
{{- end }}

{{/* A number without an exponent, on and off for true and false, and no $(NAME) that Kubernetes would replace. */}}
{{- define "runstate-bridge.text" -}}
{{- if kindIs "bool" . -}}
{{ ternary "on" "off" . }}
{{- else if kindIs "float64" . -}}
{{ eq . (floor .) | ternary (int64 . | toString) (toString .) }}
{{- else -}}
{{ toString . | replace "$(" "$$(" }}
{{- end -}}
{{- end }}

{{- define "runstate-bridge.environment" -}}
{{- $role := .role -}}
{{- $values := .root.Values -}}
{{- range $name, $value := $values.config }}
{{- if include "runstate-bridge.isFor" (dict "name" $name "role" $role) }}
- name: {{ $name }}
  value: {{ include "runstate-bridge.text" $value | quote }}
{{- end }}
{{- end }}
{{- range $name, $from := $values.secrets }}
{{- if include "runstate-bridge.isFor" (dict "name" $name "role" $role) }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef: {{ dict "name" $from.name "key" $from.key | toJson }}
{{- end }}
{{- end }}
{{- range $name, $from := $values.files }}
{{- if include "runstate-bridge.isFor" (dict "name" $name "role" $role) }}
- name: {{ $name }}
  value: /run/runstate/{{ $name }}
{{- end }}
{{- end }}
{{- if and (eq $role "worker") $values.workloadIdentity.enabled (eq $values.workloadIdentity.token "chart") }}
- name: AZURE_FEDERATED_TOKEN_FILE
  value: /var/run/secrets/azure/tokens/azure-identity-token
{{- end }}
{{- with $values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* One projected volume for all of a role's files, so that a certificate and its key change together. */}}
{{- define "runstate-bridge.files" -}}
{{- $role := .role -}}
{{- range $name, $from := .root.Values.files }}
{{- if include "runstate-bridge.isFor" (dict "name" $name "role" $role) }}
- {{ hasKey $from "secret" | ternary "secret" "configMap" }}:
    name: {{ $from.secret | default $from.configMap }}
    items:
      - { key: {{ $from.key | quote }}, path: {{ $name }} }
{{- end }}
{{- end }}
{{- end }}
