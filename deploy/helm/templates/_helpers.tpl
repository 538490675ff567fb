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

{{- define "pos-bridge.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{/* One map of several, as YAML: of the values of a key the last one wins. Give a list of maps. */}}
{{- define "pos-bridge.map" -}}
{{- $all := dict -}}
{{- range . -}}{{- range $key, $value := . -}}{{- $_ := set $all $key $value -}}{{- end -}}{{- end -}}
{{- if $all -}}{{- toYaml $all -}}{{- end -}}
{{- end -}}

{{/* Labels that choose pods; values.schema.json refuses them everywhere else. Give a dict with "root" and "component". */}}
{{- define "pos-bridge.selector" -}}
app.kubernetes.io/name: {{ include "pos-bridge.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of a pod: no version of the chart, so that a chart that changes nothing
     else restarts nothing. Give a dict with "root" and "component". */}}
{{- define "pos-bridge.podLabels" -}}
{{- $own := dict "app.kubernetes.io/version" .root.Chart.AppVersion "app.kubernetes.io/part-of" "pos-bridge" -}}
{{- include "pos-bridge.map" (list $own .root.Values.commonLabels .root.Values.podLabels (include "pos-bridge.selector" . | fromYaml)) -}}
{{- end -}}

{{/* Annotations of a pod, with the line above them; nothing when there are none. Give a
     dict with "root", and if wanted "defaults" and "own": the chart's, which lose and win. */}}
{{- define "pos-bridge.podAnnotations" -}}
{{- with include "pos-bridge.map" (list (default (dict) .defaults) .root.Values.commonAnnotations .root.Values.podAnnotations (default (dict) .own)) -}}
annotations:
  {{- . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* Labels of an object. Give a dict with "root" and "component", and if wanted "labels". */}}
{{- define "pos-bridge.labels" -}}
{{- $own := dict "app.kubernetes.io/version" .root.Chart.AppVersion
      "app.kubernetes.io/managed-by" .root.Release.Service
      "app.kubernetes.io/part-of" "pos-bridge"
      "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- include "pos-bridge.map" (list $own .root.Values.commonLabels (default (dict) .labels) (include "pos-bridge.selector" . | fromYaml)) -}}
{{- end -}}

{{/* The metadata of an object. Give a dict with "root", "component", and if wanted
     "name" (instead of the full name), "suffix" (behind the full name), "labels" and "annotations". */}}
{{- define "pos-bridge.metadata" -}}
name: {{ default (include "pos-bridge.fullname" .root) .name }}{{ .suffix }}
namespace: {{ include "pos-bridge.namespace" .root }}
labels:
  {{- include "pos-bridge.labels" . | nindent 2 }}
{{- with include "pos-bridge.map" (list .root.Values.commonAnnotations (default (dict) .annotations)) }}
annotations:
  {{- . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The name of an image. Give a dict with "root", "image" and "tag" (used when image.tag is empty).
     A tag of digits alone is a number: an integer from --set, a float from a file. */}}
{{- define "pos-bridge.image" -}}
{{- $name := .image.repository -}}
{{- with default .image.registry .root.Values.global.imageRegistry -}}{{- $name = printf "%s/%s" . $name -}}{{- end -}}
{{- $tag := default .tag .image.tag -}}
{{- if kindIs "float64" $tag -}}{{- $tag = int64 $tag -}}{{- end -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $name .image.digest -}}
{{- else -}}
{{- printf "%s:%v" $name $tag -}}
{{- end -}}
{{- end -}}

{{/* Base and more as one value, as JSON in an object with the field "merged". Maps are
     merged key by key. Lists whose entries have names (mountPath for mounts) are merged
     by name: containers key by key, other entries are replaced. Everything else is
     replaced, and null removes. Give a list of base and more. */}}
{{- define "pos-bridge.merge" -}}
{{- $base := first . -}}
{{- $more := last . -}}
{{- $out := $more -}}
{{- if and (kindIs "map" $base) (kindIs "map" $more) -}}
{{- $out = dict -}}
{{- range $key, $value := $base -}}{{- $_ := set $out $key $value -}}{{- end -}}
{{- range $key, $value := $more -}}
{{- if kindIs "invalid" $value -}}
{{- $_ := unset $out $key -}}
{{- else if hasKey $out $key -}}
{{- $_ := set $out $key (include "pos-bridge.merge" (list (get $out $key) $value) | fromJson).merged -}}
{{- else -}}
{{- $_ := set $out $key $value -}}
{{- end -}}
{{- end -}}
{{- else if and (kindIs "slice" $base) (kindIs "slice" $more) -}}
{{- $id := "" -}}
{{- range concat $base $more -}}
{{- if kindIs "map" . -}}{{- $id = hasKey . "mountPath" | ternary "mountPath" (hasKey . "name" | ternary "name" $id) -}}{{- end -}}
{{- end -}}
{{- if $id -}}
{{- $out = list -}}
{{- $known := list -}}
{{- range $entry := $base -}}
{{- $known = append $known (get $entry $id) -}}
{{- range $other := $more -}}
{{- if eq (get $other $id) (get $entry $id) -}}
{{- $entry = hasKey $entry "image" | ternary (include "pos-bridge.merge" (list $entry $other) | fromJson).merged $other -}}
{{- end -}}
{{- end -}}
{{- $out = append $out $entry -}}
{{- end -}}
{{- range $more -}}
{{- if not (has (get . $id) $known) -}}{{- $out = append $out . -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- dict "merged" $out | toJson -}}
{{- end -}}

{{/* A text of YAML with a value merged into it. Give a list of both. */}}
{{- define "pos-bridge.merged" -}}
{{- if last . -}}
{{- toYaml (include "pos-bridge.merge" (list (first . | fromYaml) (last .)) | fromJson).merged -}}
{{- else -}}
{{- first . | trim -}}
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

{{/* Bytes of a quantity such as "1Gi" or "1.5G". */}}
{{- define "pos-bridge.bytes" -}}
{{- $factors := dict "" 1.0 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 -}}
{{- mulf (regexFind "^[0-9.]+" . | float64) (get $factors (regexFind "[A-Za-z]*$" .)) | int64 -}}
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

{{/* Replicas of the Deployment. With autoscaling, an upgrade keeps what is there: without
     the field Kubernetes would start again from 1, and a fixed number would undo what the
     autoscaler did. Where nothing can be looked up ("helm template"), it is minReplicas. */}}
{{- define "pos-bridge.replicas" -}}
{{- if .Values.autoscaling.enabled -}}
{{- $there := lookup "apps/v1" "Deployment" (include "pos-bridge.namespace" .) (include "pos-bridge.fullname" .) -}}
{{- default .Values.autoscaling.minReplicas (default (dict) $there.spec).replicas | int -}}
{{- else -}}
{{- .Values.replicaCount -}}
{{- end -}}
{{- end -}}

{{/* Replicas that are always there. */}}
{{- define "pos-bridge.leastReplicas" -}}
{{- ternary .Values.autoscaling.minReplicas .Values.replicaCount .Values.autoscaling.enabled | int -}}
{{- end -}}

{{/* Not empty when the disruption budget allows no eviction of the least replicas. Shares
     are rounded up, as Kubernetes does. */}}
{{- define "pos-bridge.blocksDrains" -}}
{{- $replicas := include "pos-bridge.leastReplicas" . | int -}}
{{- with .Values.podDisruptionBudget -}}
{{- if and .enabled $replicas -}}
{{- $bound := kindIs "invalid" .minAvailable | ternary .maxUnavailable .minAvailable | toString -}}
{{- $number := trimSuffix "%" $bound | int -}}
{{- if hasSuffix "%" $bound -}}{{- $number = divf (mulf $number $replicas) 100 | ceil | int -}}{{- end -}}
{{- if kindIs "invalid" .minAvailable -}}
{{- if eq $number 0 -}}yes{{- end -}}
{{- else if ge $number $replicas -}}yes
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
