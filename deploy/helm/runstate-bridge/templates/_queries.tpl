{{/* What KEDA asks Prometheus, about the pods of this release alone; of a long name Kubernetes cuts off a part before its own. */}}
{{- define "runstate-bridge.query.pods" -}}
job="runstate-{{ .role }}",namespace="{{ .root.Release.Namespace }}",pod=~"{{ include "runstate-bridge.fullname" .root }}-{{ .role }}-.+"
{{- end }}

{{/* The processor time that all API pods use, in cores. */}}
{{- define "runstate-bridge.query.api" -}}
sum(rate(process_cpu_seconds_total{ {{- include "runstate-bridge.query.pods" (dict "root" . "role" "api") -}} }[2m]))
{{- end }}

{{/*
How long the oldest delivery has waited, of tenants for which another worker would help: something has waited for all of the last
minutes, nothing is held, and what is created is less than Graph's pace allows. Nobody else's wait gets shorter by it.
*/}}
{{- define "runstate-bridge.query.worker" -}}
{{- $in := include "runstate-bridge.query.pods" (dict "root" . "role" "worker") -}}
max(
  max by (tenant) (runstate_oldest_queued_age_seconds{ {{- $in -}} })
    and on (tenant) max by (tenant) (min_over_time(runstate_deliveries{ {{- $in -}} ,status="queued"}[5m])) > 0
    unless on (tenant) max by (tenant) (max_over_time(runstate_held{ {{- $in -}} }[5m])) == 1
    unless on (tenant) sum by (tenant) (rate(runstate_graph_requests_total{ {{- $in -}} ,operation="create"}[2m]))
      > 0.8 * max by (tenant) (runstate_budget_writes_per_second{ {{- $in -}} })
)
{{- end }}
