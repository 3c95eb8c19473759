{{- define "quintet.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "quintet.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "quintet.labels" -}}
{{ include "quintet.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{/* What protects the server, the init container too. */}}
{{- define "quintet.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "quintet.ownModels" -}}
{{- if or .Values.models.existingClaim .Values.models.initContainer -}}true{{- end -}}
{{- end -}}

{{- define "quintet.volumes" -}}
{{- with .Values.models }}
{{- if .existingClaim }}
- name: models
  persistentVolumeClaim: {claimName: {{ .existingClaim }}, readOnly: true}
{{- else if .initContainer }}
- name: models
  emptyDir: {sizeLimit: {{ .sizeLimit }}}
{{- end }}
{{- end }}
{{- with .Values.tls.existingSecret }}
- name: tls
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- with .Values.tokens.existingSecret }}
- name: tokens
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end -}}

{{- define "quintet.volumeMounts" -}}
{{- if include "quintet.ownModels" . }}
- name: models
  mountPath: /models
  readOnly: true
  {{- with .Values.models.subPath }}
  subPath: {{ . }}
  {{- end }}
{{- end }}
{{- if .Values.tls.existingSecret }}
- {name: tls, mountPath: /tls, readOnly: true}
{{- end }}
{{- if .Values.tokens.existingSecret }}
- {name: tokens, mountPath: /tokens, readOnly: true}
{{- end }}
{{- end -}}

{{/* The variables that the chart sets itself. */}}
{{- define "quintet.ownEnv" -}}
- {name: QUINTET_LOG_FORMAT, value: json}
- {name: QUINTET_SHUTDOWN_DELAY, value: {{ .Values.shutdown.delaySeconds }}s}
- {name: QUINTET_SHUTDOWN_TIMEOUT, value: {{ .Values.shutdown.timeoutSeconds }}s}
- name: QUINTET_INSTANCES
  valueFrom:
    resourceFieldRef: {resource: requests.cpu, divisor: "1"}
- name: QUINTET_IO_THREADS
  valueFrom:
    resourceFieldRef: {resource: requests.cpu, divisor: "1"}
{{- if .Values.gpu.enabled }}
- {name: QUINTET_DEVICE, value: cuda}
{{- end }}
{{- with .Values.tracing }}
{{- if .endpoint }}
- {name: QUINTET_OTLP_ENDPOINT, value: {{ .endpoint | quote }}}
- {name: QUINTET_TRACE_RATIO, value: {{ .ratio | quote }}}
{{- end }}
{{- end }}
{{- if .Values.tls.existingSecret }}
- {name: QUINTET_TLS_CERT, value: /tls/tls.crt}
- {name: QUINTET_TLS_KEY, value: /tls/tls.key}
{{- if ne .Values.tls.clientAuth "off" }}
- {name: QUINTET_TLS_CLIENT_CA, value: /tls/ca.crt}
- {name: QUINTET_TLS_CLIENT_AUTH, value: {{ .Values.tls.clientAuth }}}
{{- end }}
{{- end }}
{{- if .Values.tokens.existingSecret }}
- {name: QUINTET_TOKENS, value: /tokens/tokens.toml}
{{- end }}
{{- end -}}
