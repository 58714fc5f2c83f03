{{/* Names and labels. */}}
{{- define "runstate-bridge.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- $full := .Values.fullnameOverride | default (contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name)) -}}
{{- $full | replace "." "-" | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{/* What selects the pods of a role for good: `role` is api or worker, `root` the chart's own context. */}}
{{- define "runstate-bridge.selector" -}}
app.kubernetes.io/name: {{ .root.Values.nameOverride | default .root.Chart.Name | trunc 63 | trimSuffix "-" | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{- define "runstate-bridge.labels" -}}
{{ include "runstate-bridge.selector" . }}
app.kubernetes.io/part-of: runstate-bridge
app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | trunc 63 | trimAll "-_." | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 }}
{{- end }}

{{- define "runstate-bridge.serviceAccount" -}}
{{- $own := printf "%s-%s" (include "runstate-bridge.fullname" .root) .role -}}
{{- get .root.Values.serviceAccount (printf "%sName" .role) | default $own -}}
{{- end }}

{{- define "runstate-bridge.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* The port that a role listens on, and how. */}}
{{- define "runstate-bridge.port" -}}
{{- if eq .role "api" -}}
{{ (.root.Values.config).PORT | default 8080 | int }}
{{- else -}}
{{ (.root.Values.config).WORKER_PORT | default 8081 | int }}
{{- end -}}
{{- end }}

{{- define "runstate-bridge.scheme" -}}
{{- $certificate := or (.root.Values.files).TLS_CERT_FILE (.root.Values.config).TLS_CERT_FILE -}}
{{- if and (eq .role "api") $certificate -}}
HTTPS
{{- else -}}
HTTP
{{- end -}}
{{- end }}
