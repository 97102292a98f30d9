{{- define "serinus.name" -}}
{{- if contains .Chart.Name .Release.Name -}}{{ .Release.Name | trunc 53 | trimSuffix "-" }}
{{- else -}}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 53 | trimSuffix "-" }}{{- end -}}
{{- end }}

{{- define "serinus.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "serinus.labels" -}}
{{ include "serinus.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "serinus.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}{{ default (include "serinus.name" .) .Values.serviceAccount.name }}
{{- else -}}{{ required "serviceAccount.create is false: name an existing one in serviceAccount.name" .Values.serviceAccount.name }}{{- end -}}
{{- end }}
