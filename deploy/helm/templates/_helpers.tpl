{{- define "pos-bridge.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The full name leaves room for what is put behind it ("-simulator", "-nats-config"). */}}
{{- define "pos-bridge.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Labels that choose pods. Give a dict with "root" and "component". */}}
{{- define "pos-bridge.selector" -}}
app.kubernetes.io/name: {{ include "pos-bridge.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of a pod: no version of the chart, so that a chart that changes nothing
     else restarts nothing. Give a dict with "root" and "component". */}}
{{- define "pos-bridge.podLabels" -}}
{{ include "pos-bridge.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: pos-bridge
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of an object. Give a dict with "root" and "component". */}}
{{- define "pos-bridge.labels" -}}
{{ include "pos-bridge.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: pos-bridge
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The metadata of an object. Give a dict with "root", "component", and if wanted
     "suffix" (behind the full name), "labels" and "annotations". */}}
{{- define "pos-bridge.metadata" -}}
name: {{ include "pos-bridge.fullname" .root }}{{ .suffix }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "pos-bridge.labels" . | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (default (dict) .annotations) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The name of an image. Give a dict with "image" and "tag" (used when image.tag is empty). */}}
{{- define "pos-bridge.image" -}}
{{- $name := .image.repository -}}
{{- if .image.registry -}}{{- $name = printf "%s/%s" .image.registry $name -}}{{- end -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $name .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .tag .image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "pos-bridge.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "pos-bridge.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Whole seconds of a duration such as "1m30s" or "250ms", rounded up. */}}
{{- define "pos-bridge.seconds" -}}
{{- $total := 0.0 -}}
{{- $factors := dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0 -}}
{{- range regexFindAll "[0-9]+(\\.[0-9]+)?(ms|s|m|h)" (toString .) -1 -}}
{{- $number := regexFind "^[0-9.]+" . | float64 -}}
{{- $total = addf $total (mulf $number (get $factors (regexFind "[a-z]+$" .))) -}}
{{- end -}}
{{- ceil $total | int -}}
{{- end -}}

{{/* How long Kubernetes waits for a replica after SIGTERM: its drain, and a margin. */}}
{{- define "pos-bridge.gracePeriod" -}}
{{- add (include "pos-bridge.seconds" .Values.config.drainTimeout | int) (int .Values.terminationMarginSeconds) -}}
{{- end -}}

{{- define "pos-bridge.natsURL" -}}
{{- if .Values.nats.url -}}
{{- .Values.nats.url -}}
{{- else if .Values.nats.enabled -}}
{{- printf "nats://%s-nats:4222" (include "pos-bridge.fullname" .) -}}
{{- else -}}
nats://nats:4222
{{- end -}}
{{- end -}}

{{- define "pos-bridge.apiURL" -}}
{{- if .Values.provider.apiURL -}}
{{- .Values.provider.apiURL -}}
{{- else if .Values.simulator.enabled -}}
{{- printf "http://%s-simulator:8900/v1/json" (include "pos-bridge.fullname" .) -}}
{{- end -}}
{{- end -}}

{{/* The port of a URL or host:port. Give a dict with "url" and "default". */}}
{{- define "pos-bridge.port" -}}
{{- $hostport := regexReplaceAll "^[a-z]+://" .url "" | splitList "/" | first -}}
{{- regexFind ":[0-9]+$" $hostport | trimPrefix ":" | default .default -}}
{{- end -}}

{{/* Ports on which NATS is reached, as a JSON list in an object. */}}
{{- define "pos-bridge.natsPorts" -}}
{{- $ports := list -}}
{{- if .Values.networkPolicy.nats.ports -}}
{{- $ports = .Values.networkPolicy.nats.ports -}}
{{- else if .Values.nats.urlSecret.name -}}
{{- $ports = list 4222 -}}
{{- else -}}
{{- range splitList "," (include "pos-bridge.natsURL" .) -}}
{{- $url := trim . -}}
{{- $default := "4222" -}}
{{- if hasPrefix "ws://" $url -}}{{- $default = "80" -}}{{- end -}}
{{- if hasPrefix "wss://" $url -}}{{- $default = "443" -}}{{- end -}}
{{- $ports = append $ports (include "pos-bridge.port" (dict "url" $url "default" $default) | int) -}}
{{- end -}}
{{- end -}}
{{- dict "ports" (uniq $ports) | toJson -}}
{{- end -}}

{{/* Ports on which the provider is reached, as a JSON list in an object. */}}
{{- define "pos-bridge.providerPorts" -}}
{{- $ports := .Values.networkPolicy.provider.ports -}}
{{- if not $ports -}}
{{- $api := include "pos-bridge.apiURL" . -}}
{{- $ports = list (include "pos-bridge.port" (dict "url" $api "default" (hasPrefix "http://" $api | ternary "80" "443")) | int) -}}
{{- range .Values.provider.eventsAllowedHosts -}}
{{- $ports = append $ports (include "pos-bridge.port" (dict "url" . "default" "443") | int) -}}
{{- end -}}
{{- end -}}
{{- dict "ports" (uniq $ports) | toJson -}}
{{- end -}}

{{/* What NetworkPolicyPorts look like. Give a list of TCP ports. */}}
{{- define "pos-bridge.tcpPorts" -}}
{{- range . }}
- {protocol: TCP, port: {{ int . }}}
{{- end }}
{{- end -}}

{{/* What cannot be said in values.schema.json. */}}
{{- define "pos-bridge.validate" -}}
{{- if and .Values.nats.creds.secretName .Values.nats.nkey.secretName -}}
{{- fail "nats.creds.secretName and nats.nkey.secretName exclude each other: set one" -}}
{{- end -}}
{{- if contains "@" .Values.nats.url -}}
{{- fail "nats.url holds a user or a password; put it into a Secret and name that in nats.urlSecret" -}}
{{- end -}}
{{- if and .Values.nats.url .Values.nats.urlSecret.name -}}
{{- fail "nats.url and nats.urlSecret.name exclude each other: set one" -}}
{{- end -}}
{{- if and .Values.nats.enabled (or .Values.nats.url .Values.nats.urlSecret.name) -}}
{{- fail "nats.enabled runs a NATS server for a trial; with a server of your own (nats.url) leave it off" -}}
{{- end -}}
{{- if and .Values.nats.enabled (gt (int .Values.config.jetstreamReplicas) 1) -}}
{{- fail "config.jetstreamReplicas: the trial server of nats.enabled is a single one and can keep 1 copy" -}}
{{- end -}}
{{- if and .Values.simulator.enabled .Values.provider.apiURL -}}
{{- fail "simulator.enabled takes the provider's place; leave provider.apiURL empty" -}}
{{- end -}}
{{- if and .Values.simulator.enabled .Values.provider.terminalGroups.secretName -}}
{{- fail "simulator.enabled has terminals and a key of its own; leave provider.terminalGroups.secretName empty" -}}
{{- end -}}
{{- if and .Values.webhook.enabled (eq (int .Values.webhook.port) 8080) -}}
{{- fail "webhook.port is 8080, the port of the console: the provider must not reach that" -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if and (hasPrefix "BRIDGE_" .name) (ne .name "BRIDGE_REPLICA_ID") -}}
{{- fail (printf "extraEnv: %s has a value of its own in this chart, which probes, alerts and the grace period go by; set that" .name) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is greater than autoscaling.maxReplicas" -}}
{{- end -}}
{{- if not (or .Values.simulator.enabled .Values.provider.terminalGroups.secretName .Values.provider.apiKey.secretName) -}}
{{- fail "no key for the provider: set provider.apiKey.secretName or provider.terminalGroups.secretName" -}}
{{- end -}}
{{- if not (include "pos-bridge.seconds" .Values.config.drainTimeout | int) -}}
{{- fail "config.drainTimeout takes a duration greater than zero, such as 20s" -}}
{{- end -}}
{{- end -}}
