{{/* Rules that values.schema.json cannot express. */}}
{{- define "pos-bridge.validate" -}}
{{- if and .Values.nats.creds.secretName .Values.nats.nkey.secretName -}}
{{- fail "nats.creds.secretName and nats.nkey.secretName exclude each other: set one" -}}
{{- end -}}
{{- if contains "@" .Values.nats.url -}}
{{- fail "nats.url contains a user or a password; put the address into a Secret, and set nats.urlSecret.name" -}}
{{- end -}}
{{- if and .Values.nats.url .Values.nats.urlSecret.name -}}
{{- fail "nats.url and nats.urlSecret.name exclude each other: set one" -}}
{{- end -}}
{{- if and .Values.nats.enabled (or .Values.nats.url .Values.nats.urlSecret.name) -}}
{{- fail "nats.enabled installs a NATS server for a trial; set either nats.enabled or the address of your server" -}}
{{- end -}}
{{- if and .Values.nats.enabled (gt (int .Values.config.jetstreamReplicas) 1) -}}
{{- fail "config.jetstreamReplicas must be 1 with nats.enabled: that is one server" -}}
{{- end -}}
{{- if and .Values.simulator.enabled .Values.provider.apiURL -}}
{{- fail "provider.apiURL must be empty with simulator.enabled: the simulator replaces the provider" -}}
{{- end -}}
{{- if and .Values.simulator.enabled .Values.provider.terminalGroups.secretName -}}
{{- fail "provider.terminalGroups.secretName must be empty with simulator.enabled: the simulator has its own terminals and key" -}}
{{- end -}}
{{- if and .Values.webhook.enabled (eq (int .Values.webhook.port) 8080) -}}
{{- fail "webhook.port must not be 8080: that is the port of the console, which the provider must not reach" -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if and (hasPrefix "BRIDGE_" .name) (ne .name "BRIDGE_REPLICA_ID") -}}
{{- fail (printf "extraEnv must not have %s: set the chart's value for it, which probes, alerts and the grace period use too" .name) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is greater than autoscaling.maxReplicas" -}}
{{- end -}}
{{- if not (or .Values.simulator.enabled .Values.provider.terminalGroups.secretName .Values.provider.apiKey.secretName) -}}
{{- fail "the key for the provider is missing: set provider.apiKey.secretName or provider.terminalGroups.secretName" -}}
{{- end -}}
{{- if not (include "pos-bridge.seconds" .Values.config.drainTimeout | int) -}}
{{- fail "config.drainTimeout must be a duration greater than zero, such as 20s" -}}
{{- end -}}
{{- $names := list -}}
{{- range .Values.extraEnv -}}
{{- if has .name $names -}}{{- fail (printf "extraEnv has %s twice" .name) -}}{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- if and (eq .Values.service.type "LoadBalancer") (not .Values.service.loadBalancerSourceRanges) (not (and .Values.console.enabled .Values.console.tokenSecretName)) -}}
{{- fail "service.type LoadBalancer lets everybody reach probes, metrics and console: set service.loadBalancerSourceRanges, or console.tokenSecretName" -}}
{{- end -}}
{{- if and .Values.service.loadBalancerSourceRanges (ne .Values.service.type "LoadBalancer") -}}
{{- fail "service.loadBalancerSourceRanges needs service.type LoadBalancer" -}}
{{- end -}}
{{- if and (or .Values.console.ingress.enabled .Values.console.route.enabled) (not (and .Values.console.enabled .Values.console.tokenSecretName)) -}}
{{- fail "console.ingress and console.route need console.tokenSecretName: without a token the console answers only \"kubectl port-forward\"" -}}
{{- end -}}
{{- if and .Values.webhook.route.enabled (not (and .Values.webhook.enabled .Values.webhook.url)) -}}
{{- fail "webhook.route needs webhook.enabled and webhook.url, which has the route's host and path" -}}
{{- end -}}
{{- if .Values.nats.enabled -}}{{- include "pos-bridge.validateServer" . -}}{{- end -}}
{{- end -}}

{{/* The trial server's storage. */}}
{{- define "pos-bridge.validateServer" -}}
{{- $wanted := .Values.nats.server.persistence -}}
{{- if gt (include "pos-bridge.bytes" .Values.nats.server.maxFileStore | int64) (include "pos-bridge.bytes" $wanted.size | int64) -}}
{{- fail (printf "nats.server.maxFileStore (%s) is more than nats.server.persistence.size (%s)" .Values.nats.server.maxFileStore $wanted.size) -}}
{{- end -}}
{{- with lookup "apps/v1" "StatefulSet" (include "pos-bridge.namespace" .) (printf "%s-nats" (include "pos-bridge.fullname" .)) -}}
{{- $there := "none" -}}
{{- with .spec.volumeClaimTemplates -}}
{{- with (first .).spec -}}
{{- $there = printf "%s bytes of class %q" (include "pos-bridge.bytes" .resources.requests.storage) (default "" .storageClassName) -}}
{{- end -}}
{{- end -}}
{{- $new := "none" -}}
{{- if $wanted.enabled -}}{{- $new = printf "%s bytes of class %q" (include "pos-bridge.bytes" $wanted.size) $wanted.storageClassName -}}{{- end -}}
{{- if ne $there $new -}}
{{- fail (printf "nats.server.persistence cannot be changed after the installation (installed: %s, now: %s); uninstall the release, or delete the StatefulSet %s with --cascade=orphan" $there $new .metadata.name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
