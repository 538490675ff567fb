{{/* What all four pods share: the bridge, the test, the trial NATS server and the simulator. */}}
{{- define "pos-bridge.podSpec" -}}
serviceAccountName: {{ include "pos-bridge.serviceAccountName" . }}
enableServiceLinks: false
{{- include "pos-bridge.pullSecrets" . }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- define "pos-bridge.pullSecrets" -}}
{{- $all := list -}}
{{- range concat (default (list) .Values.global.imagePullSecrets) .Values.imagePullSecrets -}}
{{- $all = append $all (kindIs "string" . | ternary (dict "name" .) .) -}}
{{- end -}}
{{- with uniq $all }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What every pod that speaks to NATS needs of the environment: the bridge, and
     the test. The paths are those of pos-bridge.natsMounts. */}}
{{- define "pos-bridge.natsEnv" -}}
- name: BRIDGE_NATS_URL
  {{- if .Values.nats.urlSecret.name }}
  valueFrom:
    secretKeyRef:
      name: {{ .Values.nats.urlSecret.name }}
      key: {{ .Values.nats.urlSecret.key }}
  {{- else }}
  value: {{ include "pos-bridge.natsURL" . | quote }}
  {{- end }}
{{- if .Values.nats.creds.secretName }}
- name: BRIDGE_NATS_CREDS_FILE
  value: /etc/pos-bridge/nats-creds/{{ .Values.nats.creds.key }}
{{- end }}
{{- if .Values.nats.nkey.secretName }}
- name: BRIDGE_NATS_NKEY_FILE
  value: /etc/pos-bridge/nats-nkey/{{ .Values.nats.nkey.key }}
{{- end }}
{{- if .Values.nats.tls.caSecretName }}
- name: BRIDGE_NATS_CA_FILE
  value: /etc/pos-bridge/nats-ca/{{ .Values.nats.tls.caKey }}
{{- end }}
{{- if .Values.nats.tls.certSecretName }}
- name: BRIDGE_NATS_CERT_FILE
  value: /etc/pos-bridge/nats-cert/{{ .Values.nats.tls.certKey }}
- name: BRIDGE_NATS_KEY_FILE
  value: /etc/pos-bridge/nats-cert/{{ .Values.nats.tls.keyKey }}
{{- end }}
{{- if .Values.nats.tls.first }}
- name: BRIDGE_NATS_TLS_FIRST
  value: "true"
{{- end }}
{{- with .Values.nats.jetstreamDomain }}
- name: BRIDGE_NATS_JS_DOMAIN
  value: {{ . | quote }}
{{- end }}
{{- with .Values.config.subjectPrefix }}
- name: BRIDGE_SUBJECT_PREFIX
  value: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* Secrets are mounted as whole directories, never with subPath: only so do the
     files follow a change of the Secret. */}}
{{- define "pos-bridge.natsMounts" -}}
{{- range (include "pos-bridge.natsSecrets" . | fromJson).secrets }}
- name: {{ .volume }}
  mountPath: /etc/pos-bridge/{{ .volume }}
  readOnly: true
{{- end }}
{{- end -}}

{{- define "pos-bridge.natsVolumes" -}}
{{- range (include "pos-bridge.natsSecrets" . | fromJson).secrets }}
{{ include "pos-bridge.secretVolume" . }}
{{- end }}
{{- end -}}

{{- define "pos-bridge.natsSecrets" -}}
{{- $secrets := list -}}
{{- with .Values.nats.creds.secretName -}}{{- $secrets = append $secrets (dict "volume" "nats-creds" "secret" .) -}}{{- end -}}
{{- with .Values.nats.nkey.secretName -}}{{- $secrets = append $secrets (dict "volume" "nats-nkey" "secret" .) -}}{{- end -}}
{{- with .Values.nats.tls.caSecretName -}}{{- $secrets = append $secrets (dict "volume" "nats-ca" "secret" .) -}}{{- end -}}
{{- with .Values.nats.tls.certSecretName -}}{{- $secrets = append $secrets (dict "volume" "nats-cert" "secret" .) -}}{{- end -}}
{{- dict "secrets" $secrets | toJson -}}
{{- end -}}

{{/* A volume of a Secret, readable by the bridge's group alone. Give a dict with
     "volume" and "secret". */}}
{{- define "pos-bridge.secretVolume" -}}
- name: {{ .volume }}
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
{{- end -}}

{{/* The settings of the bridge that are not about NATS. */}}
{{- define "pos-bridge.env" -}}
{{- with include "pos-bridge.apiURL" . }}
- name: BRIDGE_API_URL
  value: {{ . | quote }}
{{- end }}
{{- if .Values.provider.ca.secretName }}
- name: BRIDGE_API_CA_FILE
  value: /etc/pos-bridge/api-ca/{{ .Values.provider.ca.key }}
{{- end }}
{{- if .Values.simulator.enabled }}
# The simulator's own key; it opens nothing else.
- name: BRIDGE_API_KEY
  value: demo-key
{{- else if .Values.provider.terminalGroups.secretName }}
- name: BRIDGE_TERMINAL_GROUPS_FILE
  value: /etc/pos-bridge/groups/{{ .Values.provider.terminalGroups.key }}
{{- else }}
- name: BRIDGE_API_KEY_FILE
  value: /etc/pos-bridge/api-key/{{ .Values.provider.apiKey.key }}
{{- end }}
{{- with .Values.provider.eventsAuth }}
- name: BRIDGE_EVENTS_AUTH
  value: {{ . }}
{{- end }}
{{- with .Values.provider.eventsAllowedHosts }}
- name: BRIDGE_EVENTS_ALLOWED_HOSTS
  value: {{ join "," . | quote }}
{{- end }}
- name: BRIDGE_HTTP_ADDR
  value: ":8080"
{{- with .Values.webhook }}
{{- if .enabled }}
- name: BRIDGE_WEBHOOK_ADDR
  value: ":{{ .port }}"
{{- with .url }}
- name: BRIDGE_WEBHOOK_URL
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- range list
  (list "replicaTTL" "REPLICA_TTL")
  (list "startDeadline" "START_DEADLINE")
  (list "jetstreamReplicas" "JETSTREAM_REPLICAS")
  (list "statusMaxAge" "STATUS_MAX_AGE")
  (list "providerRate" "PROVIDER_RATE")
  (list "backoffInitial" "BACKOFF_INITIAL")
  (list "backoffMax" "BACKOFF_MAX")
  (list "idleTimeout" "IDLE_TIMEOUT")
  (list "reconcileInterval" "RECONCILE_INTERVAL")
  (list "settleWindow" "SETTLE_WINDOW")
  (list "sessionTimeout" "SESSION_TIMEOUT")
  (list "drainTimeout" "DRAIN_TIMEOUT")
  (list "requestTimeout" "REQUEST_TIMEOUT")
  (list "logLevel" "LOG_LEVEL")
  (list "logFormat" "LOG_FORMAT") }}
{{- $variable := last . -}}
{{- with index $.Values.config (first .) }}
- name: BRIDGE_{{ $variable }}
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- if kindIs "slice" .Values.config.aftercare }}
- name: BRIDGE_AFTERCARE
  value: {{ join "," .Values.config.aftercare | quote }}
{{- end }}
{{- if not .Values.console.enabled }}
- name: BRIDGE_CONSOLE
  value: "off"
{{- else if .Values.console.tokenSecretName }}
- name: BRIDGE_CONSOLE_TOKEN_FILE
  value: /etc/pos-bridge/console-token/{{ .Values.console.tokenKey }}
{{- end }}
{{- with .Values.tracing }}
{{- if .endpoint }}
- name: POD_NAME
  valueFrom:
    fieldRef: {fieldPath: metadata.name}
- name: OTEL_SERVICE_NAME
  value: pos-bridge
- name: OTEL_RESOURCE_ATTRIBUTES
  value: k8s.namespace.name={{ include "pos-bridge.namespace" $ }},k8s.pod.name=$(POD_NAME)
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .endpoint | quote }}
{{- with .sampler }}
- name: OTEL_TRACES_SAMPLER
  value: {{ . | quote }}
{{- end }}
{{- with .samplerArg }}
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The Secret with the provider's key or keys, as a dict in JSON; empty with the simulator. */}}
{{- define "pos-bridge.keySecret" -}}
{{- if .Values.simulator.enabled -}}
{{- else if .Values.provider.terminalGroups.secretName -}}
{{- dict "volume" "groups" "secret" .Values.provider.terminalGroups.secretName | toJson -}}
{{- else -}}
{{- dict "volume" "api-key" "secret" .Values.provider.apiKey.secretName | toJson -}}
{{- end -}}
{{- end -}}

{{/* Volumes and mounts of the bridge itself. */}}
{{- define "pos-bridge.volumes" -}}
{{- include "pos-bridge.natsVolumes" . }}
{{- with include "pos-bridge.keySecret" . }}
{{ include "pos-bridge.secretVolume" (fromJson .) }}
{{- end }}
{{- with .Values.provider.ca.secretName }}
{{ include "pos-bridge.secretVolume" (dict "volume" "api-ca" "secret" .) }}
{{- end }}
{{- if and .Values.console.enabled .Values.console.tokenSecretName }}
{{ include "pos-bridge.secretVolume" (dict "volume" "console-token" "secret" .Values.console.tokenSecretName) }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "pos-bridge.mounts" -}}
{{- include "pos-bridge.natsMounts" . }}
{{- with include "pos-bridge.keySecret" . }}
- name: {{ (fromJson .).volume }}
  mountPath: /etc/pos-bridge/{{ (fromJson .).volume }}
  readOnly: true
{{- end }}
{{- if .Values.provider.ca.secretName }}
- name: api-ca
  mountPath: /etc/pos-bridge/api-ca
  readOnly: true
{{- end }}
{{- if and .Values.console.enabled .Values.console.tokenSecretName }}
- name: console-token
  mountPath: /etc/pos-bridge/console-token
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The bridge's environment: the chart's own variables, and extraEnv over them. A variable
     of the chart that extraEnv names again keeps its place, so that others can refer to it. */}}
{{- define "pos-bridge.bridgeEnv" -}}
{{- $own := printf "%s\n%s" (include "pos-bridge.natsEnv" .) (include "pos-bridge.env" . | trim) -}}
{{- if .Values.extraEnv -}}
{{- toYaml (include "pos-bridge.merge" (list (fromYamlArray $own) .Values.extraEnv) | fromJson).merged -}}
{{- else -}}
{{- $own -}}
{{- end -}}
{{- end -}}

{{/* The bridge's pod. */}}
{{- define "pos-bridge.bridgePod" -}}
{{- include "pos-bridge.podSpec" . }}
# The bridge never talks to the Kubernetes API.
automountServiceAccountToken: {{ .Values.serviceAccount.automount }}
# The drain ({{ .Values.config.drainTimeout }}) and a margin.
terminationGracePeriodSeconds: {{ include "pos-bridge.gracePeriod" . }}
containers:
  - name: bridge
    image: {{ include "pos-bridge.image" (dict "root" . "image" .Values.image "tag" .Chart.AppVersion) }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args: [serve]
    securityContext:
      {{- toYaml .Values.securityContext | nindent 6 }}
    env:
      {{- include "pos-bridge.bridgeEnv" . | nindent 6 }}
    {{- with .Values.extraEnvFrom }}
    envFrom:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    ports:
      - {name: http, containerPort: 8080, protocol: TCP}
      {{- if .Values.webhook.enabled }}
      - {name: webhook, containerPort: {{ .Values.webhook.port }}, protocol: TCP}
      {{- end }}
    # Alive as long as the process works, also while NATS is away: a restart
    # would not bring NATS back.
    startupProbe:
      httpGet: {path: /healthz, port: http}
      {{- toYaml .Values.probes.startup | nindent 6 }}
    livenessProbe:
      httpGet: {path: /healthz, port: http}
      {{- toYaml .Values.probes.liveness | nindent 6 }}
    readinessProbe:
      httpGet: {path: /readyz, port: http}
      {{- toYaml .Values.probes.readiness | nindent 6 }}
    resources:
      {{- toYaml .Values.resources | nindent 6 }}
    {{- with include "pos-bridge.mounts" . | trim }}
    volumeMounts:
      {{- . | nindent 6 }}
    {{- end }}
{{- with include "pos-bridge.volumes" . | trim }}
volumes:
  {{- . | nindent 2 }}
{{- end }}
{{- with .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  {{- $selector := dict "matchLabels" (include "pos-bridge.selector" (dict "root" $ "component" "bridge") | fromYaml) }}
  {{- $own := kindIs "invalid" .labelSelector | ternary (dict "labelSelector" $selector) (dict) }}
  - {{ include "pos-bridge.map" (list . $own) | nindent 4 | trim }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* The trial NATS server's pod. */}}
{{- define "pos-bridge.natsPod" -}}
{{- include "pos-bridge.podSpec" . }}
automountServiceAccountToken: false
terminationGracePeriodSeconds: 30
containers:
  - name: nats
    image: {{ include "pos-bridge.image" (dict "root" . "image" .Values.nats.server.image "tag" "2") }}
    imagePullPolicy: {{ .Values.nats.server.image.pullPolicy }}
    args: [--config, /etc/nats/nats.conf]
    securityContext:
      {{- toYaml .Values.securityContext | nindent 6 }}
    ports:
      - {name: nats, containerPort: 4222, protocol: TCP}
      - {name: monitor, containerPort: 8222, protocol: TCP}
    startupProbe:
      httpGet: {path: /healthz, port: monitor}
      periodSeconds: 2
      failureThreshold: 30
    livenessProbe:
      httpGet: {path: "/healthz?js-enabled-only=true", port: monitor}
      periodSeconds: 10
    readinessProbe:
      httpGet: {path: "/healthz?js-server-only=true", port: monitor}
      periodSeconds: 5
    resources:
      {{- toYaml .Values.nats.server.resources | nindent 6 }}
    volumeMounts:
      - {name: config, mountPath: /etc/nats, readOnly: true}
      - {name: data, mountPath: /data}
volumes:
  - name: config
    configMap:
      name: {{ include "pos-bridge.fullname" . }}-nats
  {{- if not .Values.nats.server.persistence.enabled }}
  - name: data
    emptyDir:
      sizeLimit: {{ .Values.nats.server.persistence.size }}
  {{- end }}
{{- end -}}

{{/* The simulator's pod. */}}
{{- define "pos-bridge.simulatorPod" -}}
{{- include "pos-bridge.podSpec" . }}
automountServiceAccountToken: false
containers:
  - name: simulator
    image: {{ include "pos-bridge.image" (dict "root" . "image" .Values.image "tag" .Chart.AppVersion) }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args: [simulate, --addr, "0.0.0.0:8900"]
    securityContext:
      {{- toYaml .Values.securityContext | nindent 6 }}
    ports:
      - {name: http, containerPort: 8900, protocol: TCP}
    readinessProbe:
      tcpSocket: {port: http}
      periodSeconds: 5
    resources:
      {{- toYaml .Values.simulator.resources | nindent 6 }}
{{- end -}}

{{/* The pod of "helm test". */}}
{{- define "pos-bridge.testPod" -}}
{{- include "pos-bridge.podSpec" . }}
automountServiceAccountToken: false
restartPolicy: Never
activeDeadlineSeconds: 120
containers:
  - name: sessions
    image: {{ include "pos-bridge.image" (dict "root" . "image" .Values.image "tag" .Chart.AppVersion) }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args: [sessions, --json]
    securityContext:
      {{- toYaml .Values.securityContext | nindent 6 }}
    env:
      {{- include "pos-bridge.natsEnv" . | nindent 6 }}
    resources:
      {{- toYaml .Values.tests.resources | nindent 6 }}
    {{- with include "pos-bridge.natsMounts" . | trim }}
    volumeMounts:
      {{- . | nindent 6 }}
    {{- end }}
{{- with include "pos-bridge.natsVolumes" . | trim }}
volumes:
  {{- . | nindent 2 }}
{{- end }}
{{- end -}}
