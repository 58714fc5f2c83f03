{{/* The pod of a role: one process without rights, with files and variables of its own. */}}
{{- define "runstate-bridge.pod" -}}
{{- $values := get .root.Values .role -}}
{{- $identity := and (eq .role "worker") .root.Values.workloadIdentity.enabled -}}
{{- $files := include "runstate-bridge.files" . -}}
{{- $health := dict "port" .role "scheme" (include "runstate-bridge.scheme" .) -}}
metadata:
  labels:
    {{- include "runstate-bridge.labels" . | nindent 4 }}
    {{- if and $identity (eq .root.Values.workloadIdentity.token "azure") }}
    azure.workload.identity/use: 'true'
    {{- end }}
    {{- with $values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "runstate-bridge.serviceAccount" . | quote }}
  # Neither process talks to Kubernetes; a token for Entra is mounted apart from this one.
  automountServiceAccountToken: false
  # A Service's address would be taken for a setting: WORKER_PORT=tcp://…
  enableServiceLinks: false
  {{- with .root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . | quote }}
    {{- end }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    {{- with .root.Values.userId }}
    runAsUser: {{ int64 . }}
    runAsGroup: {{ int64 . }}
    fsGroup: {{ int64 . }}
    {{- end }}
    seccompProfile: { type: RuntimeDefault }
  # The process forces its own exit after SHUTDOWN_GRACE_MS, DRAIN_MS included.
  terminationGracePeriodSeconds: {{ div (add ((.root.Values.config).SHUTDOWN_GRACE_MS | default 20000 | int64) 10999) 1000 }}
  containers:
    - name: {{ .role }}
      image: {{ include "runstate-bridge.image" .root }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args: [node, {{ eq .role "api" | ternary "dist/src/main.js" "dist/workers/main.js" }}]
      env:
        {{- include "runstate-bridge.environment" . | trim | nindent 8 }}
      ports:
        - { name: {{ .role }}, containerPort: {{ include "runstate-bridge.port" . }} }
      startupProbe:
        httpGet: {{ merge (dict "path" "/livez") $health | toJson }}
        periodSeconds: 2
        timeoutSeconds: 5
        failureThreshold: 30
      livenessProbe:
        httpGet: {{ merge (dict "path" "/livez") $health | toJson }}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      readinessProbe:
        httpGet: {{ merge (dict "path" "/readyz") $health | toJson }}
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 2
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
      volumeMounts:
        - { name: tmp, mountPath: /tmp }
        {{- if $files }}
        - { name: files, mountPath: /run/runstate, readOnly: true }
        {{- end }}
        {{- if and $identity (eq .root.Values.workloadIdentity.token "chart") }}
        - { name: entra, mountPath: /var/run/secrets/azure/tokens, readOnly: true }
        {{- end }}
        {{- with $values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir: { sizeLimit: 64Mi }
    {{- if $files }}
    - name: files
      projected:
        defaultMode: 0440
        sources:
          {{- $files | trim | nindent 10 }}
    {{- end }}
    {{- if and $identity (eq .root.Values.workloadIdentity.token "chart") }}
    - name: entra
      projected:
        sources:
          - serviceAccountToken:
              audience: {{ .root.Values.workloadIdentity.audience }}
              expirationSeconds: 3600
              path: azure-identity-token
    {{- end }}
    {{- with $values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: {{ $values.spread }}
      matchLabelKeys: [pod-template-hash]
      labelSelector:
        matchLabels:
          {{- include "runstate-bridge.selector" $ | nindent 10 }}
    {{- end }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . | quote }}
  {{- end }}
{{- end }}
