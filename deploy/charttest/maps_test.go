package charttest

import (
	"regexp"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
)

// A key that the chart sets itself can be given again in every map and list whose
// keys are the user's own: it is there once, and Kubernetes takes it.
func TestChartKeysGivenAgain(t *testing.T) {
	t.Parallel()
	label := map[string]any{"app.kubernetes.io/part-of": "till", "app.kubernetes.io/version": "", "helm.sh/chart": "mine"}
	all := merge(
		set("commonLabels", label), set("podLabels", label), set("service.labels", label), set("serviceAccount.labels", label),
		set("commonAnnotations", map[string]any{"checksum/config": "x", "kubectl.kubernetes.io/default-container": "x", "a": "common"}),
		set("podAnnotations", map[string]any{"kubectl.kubernetes.io/default-container": "y", "checksum/config": "y", "helm.sh/hook": "y", "a": "pod"}),
		set("deploymentAnnotations", map[string]any{"a": "own"}), set("service.annotations", map[string]any{"a": "own"}),
		set("serviceAccount.annotations", map[string]any{"a": "own"}), set("metrics.dashboard.annotations", map[string]any{"a": "own"}),
		set("webhook.ingress.annotations", map[string]any{"a": "own"}), set("console.ingress.annotations", map[string]any{"a": "own"}),
		set("webhook.route.annotations", map[string]any{"a": "own"}), set("console.route.annotations", map[string]any{"a": "own"}),
		set("metrics.serviceMonitor.labels", label), set("metrics.prometheusRule.labels", label),
		set("metrics.dashboard.labels", merge(label, map[string]any{"grafana_dashboard": "2"})),
		set("metrics.prometheusRule.alertLabels", map[string]any{"severity": "page"}),
		set("topologySpreadConstraints", []any{
			map[string]any{"topologyKey": "a", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": map[string]any{}},
			map[string]any{"topologyKey": "b", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"},
		}),
		set("extraEnv", []any{map[string]any{"name": "POD_NAME", "value": "mine"}, map[string]any{"name": "OTEL_SERVICE_NAME", "value": "till"}}),
		set("podSpec", map[string]any{
			"enableServiceLinks": true,
			"containers": []any{map[string]any{
				"name":         "bridge",
				"env":          []any{map[string]any{"name": "BRIDGE_HTTP_ADDR", "value": ":8080"}},
				"ports":        []any{map[string]any{"name": "http", "containerPort": 8080, "hostPort": 80}},
				"volumeMounts": []any{map[string]any{"name": "console-token", "mountPath": "/etc/pos-bridge/console-token", "readOnly": true}},
			}},
			"volumes": []any{map[string]any{"name": "console-token", "secret": map[string]any{"secretName": "other", "defaultMode": 0o440}}},
		}),
		set("tests.podSpec", map[string]any{"restartPolicy": "Never"}), set("nats.server.podSpec", map[string]any{"enableServiceLinks": false}),
		set("simulator.podSpec", map[string]any{"automountServiceAccountToken": false}), set("simulator.enabled", true),
		set("webhook", map[string]any{"enabled": true, "url": "https://h.example.com/m"}), set("webhook.ingress.enabled", true),
		set("webhook.route.enabled", true), set("webhook.route.parentRefs", []any{map[string]any{"name": "g"}}),
		set("console.tokenSecretName", "token"), set("console.ingress.enabled", true), set("console.ingress.host", "h.example.com"),
		set("console.route.enabled", true), set("console.route.parentRefs", []any{map[string]any{"name": "g"}}),
		set("autoscaling", map[string]any{"enabled": true, "behavior": map[string]any{"scaleDown": map[string]any{"stabilizationWindowSeconds": 1}}}),
		set("tracing.endpoint", "http://collector:4318"), set("nats.enabled", true),
		set("metrics.serviceMonitor.enabled", true), set("metrics.prometheusRule.enabled", true), set("metrics.dashboard.enabled", true),
	)
	for path := range freeMaps {
		if !regexp.MustCompile(`(?i)(labels|annotations|podSpec|behavior)$`).MatchString(path) {
			continue // printed as it is, with nothing of the chart's beside it
		}
		if _, err := chartutil.Values(all).Table(path); err != nil {
			t.Errorf("this test gives no key of %s again", path)
		}
	}
	r, err := render(t, all)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range r.Objects {
		typed(t, o)
	}
	d := find[*apps.Deployment](t, r, "pos-pos-bridge")
	pod := d.Spec.Template
	if got := pod.Labels["app.kubernetes.io/part-of"]; got != "till" {
		t.Errorf("the pod's part-of is %q", got)
	}
	if got, ok := pod.Labels["app.kubernetes.io/version"]; got != "" || !ok {
		t.Errorf("the pod's version is %q", got)
	}
	if got := pod.Annotations["kubectl.kubernetes.io/default-container"]; got != "y" {
		t.Errorf("the default container is %q", got)
	}
	if d.Annotations["a"] != "own" || pod.Annotations["a"] != "pod" {
		t.Errorf("annotations %v, of the pod %v", d.Annotations, pod.Annotations)
	}
	env := map[string]string{}
	for _, e := range pod.Spec.Containers[0].Env {
		if _, ok := env[e.Name]; ok {
			t.Errorf("%s is set twice", e.Name)
		}
		env[e.Name] = e.Value
	}
	if env["POD_NAME"] != "mine" || env["OTEL_SERVICE_NAME"] != "till" {
		t.Errorf("environment %v", env)
	}
	// What the chart needs to work stays its own.
	if got := find[*core.Pod](t, r, "pos-pos-bridge-test").Annotations["helm.sh/hook"]; got != "test" {
		t.Errorf("the test's hook is %q", got)
	}
	if got := find[*apps.StatefulSet](t, r, "pos-pos-bridge-nats").Spec.Template.Annotations["checksum/config"]; len(got) != 64 {
		t.Errorf("the checksum of NATS's configuration is %q", got)
	}
}

func TestSelectorKeysAreRefused(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"commonLabels", "podLabels", "service.labels", "serviceAccount.labels",
		"metrics.serviceMonitor.labels", "metrics.prometheusRule.labels", "metrics.dashboard.labels",
	} {
		for _, key := range []string{"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"} {
			_, err := render(t, set(path, map[string]any{key: "mine"}))
			where := "'/" + strings.ReplaceAll(path, ".", "/") + "/" + strings.ReplaceAll(key, "/", "~1") + "'"
			if err == nil || !strings.Contains(err.Error(), where) {
				t.Errorf("%s: %s was taken, or the refusal does not say %s: %v", path, key, where, err)
			}
		}
	}
}
