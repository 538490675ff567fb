package kubetest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const plainNamespace = "plain"

// plain installs the chart with its defaults and some settings; its pods are only said
// to run.
func plain(t *testing.T, helm, settings string) {
	t.Helper()
	must(t, helm, "kubectl create namespace "+plainNamespace)
	t.Cleanup(func() {
		if out, err := shell(context.Background(), helm, "kubectl delete namespace --timeout=2m "+plainNamespace); err != nil {
			t.Log(out)
		}
	})
	must(t, helm, "kubectl -n "+plainNamespace+" create secret generic pos-bridge-api-key --from-file=api-key=./api-key")
	upgrade(t, helm, settings)
}

func upgrade(t *testing.T, helm, settings string) {
	t.Helper()
	must(t, helm, "helm upgrade --install pos deploy/helm -n "+plainNamespace+" --wait --timeout 2m "+settings)
}

// Turning autoscaling on, and upgrades after that, never ask for fewer replicas than are
// there.
func TestNothingShrinks(t *testing.T) {
	needs(t)
	for _, helm := range []string{helm3, helm4} {
		t.Run(helm, func(t *testing.T) {
			plain(t, helm, "--set replicaCount=3")
			lowest := watchReplicas(t)
			scaled := "--set replicaCount=3,autoscaling.enabled=true,autoscaling.minReplicas=3"
			upgrade(t, helm, scaled)
			if got := lowest(); got != 3 {
				t.Errorf("turning autoscaling on took 3 replicas to %d", got)
			}
			must(t, helm, "kubectl -n "+plainNamespace+" scale deploy/pos-pos-bridge --replicas=5")
			lowest = watchReplicas(t)
			upgrade(t, helm, scaled+" --set podAnnotations.again=yes")
			if got := lowest(); got != 5 {
				t.Errorf("an upgrade took 5 replicas to %d", got)
			}
		})
	}
}

// watchReplicas starts to watch how many replicas are wanted; the function that it
// returns ends that and returns the lowest number.
func watchReplicas(t *testing.T) func() int32 {
	t.Helper()
	deployments := server.client.AppsV1().Deployments(plainNamespace)
	now, err := deployments.Get(t.Context(), "pos-pos-bridge", meta.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	watch, err := deployments.Watch(t.Context(), meta.ListOptions{ResourceVersion: now.ResourceVersion, FieldSelector: "metadata.name=pos-pos-bridge"})
	if err != nil {
		t.Fatal(err)
	}
	lowest, done := *now.Spec.Replicas, make(chan struct{})
	go func() {
		defer close(done)
		for event := range watch.ResultChan() {
			if d, ok := event.Object.(*apps.Deployment); ok {
				lowest = min(lowest, *d.Spec.Replicas)
			}
		}
	}()
	return func() int32 {
		watch.Stop()
		<-done
		return lowest
	}
}

// A variable of the chart's own can be given again, and has its own value again when it
// no longer is.
func TestOverriddenVariableReturns(t *testing.T) {
	needs(t)
	for _, helm := range []string{helm3, helm4} {
		t.Run(helm, func(t *testing.T) {
			traced := "--set tracing.endpoint=http://collector:4318"
			name := func() string {
				return must(t, helm, "kubectl -n "+plainNamespace+` get deploy pos-pos-bridge -o jsonpath='{.spec.template.spec.containers[0].env[?(@.name=="OTEL_SERVICE_NAME")].value}'`)
			}
			plain(t, helm, traced)
			upgrade(t, helm, traced+" --set extraEnv[0].name=OTEL_SERVICE_NAME,extraEnv[0].value=till")
			if got := name(); got != "till" {
				t.Errorf("with the override: %q", got)
			}
			upgrade(t, helm, traced)
			if got := name(); got != "pos-bridge" {
				t.Errorf("without the override: %q", got)
			}
		})
	}
}

// A key of the chart's own in each map is taken, by the API server too.
func TestKeysGivenAgain(t *testing.T) {
	needs(t)
	label := `app\.kubernetes\.io/part-of=till`
	var set []string
	for _, path := range []string{"commonLabels", "podLabels", "service.labels", "serviceAccount.labels", "metrics.serviceMonitor.labels", "metrics.prometheusRule.labels", "metrics.dashboard.labels"} {
		set = append(set, path+"."+label)
	}
	for _, annotation := range []string{"commonAnnotations", "podAnnotations"} {
		set = append(set, annotation+`.kubectl\.kubernetes\.io/default-container=bridge`)
	}
	set = append(set, "metrics.prometheusRule.alertLabels.severity=page", "metrics.serviceMonitor.enabled=true", "metrics.prometheusRule.enabled=true", "metrics.dashboard.enabled=true")
	for _, helm := range []string{helm3, helm4} {
		t.Run(helm, func(t *testing.T) { plain(t, helm, "--set '"+strings.Join(set, ",")+"'") })
	}
}

// A quota for CPU and memory, requests and limits, lets the test in.
func TestQuota(t *testing.T) {
	needs(t)
	for _, helm := range []string{helm3, helm4} {
		t.Run(helm, func(t *testing.T) {
			plain(t, helm, "--set resources.limits.cpu=1")
			out := must(t, helm, fmt.Sprintf(`kubectl -n %s create quota all --hard=requests.cpu=4,requests.memory=4Gi,limits.cpu=8,limits.memory=8Gi,pods=10
				helm -n %[1]s test pos --logs`, plainNamespace))
			if !strings.Contains(out, "Succeeded") {
				t.Error(out)
			}
		})
	}
}

// What cannot be changed is refused with words, before anything is tried.
func TestPersistenceCannotBeChanged(t *testing.T) {
	needs(t)
	for _, helm := range []string{helm3, helm4} {
		t.Run(helm, func(t *testing.T) {
			trial := "--set nats.enabled=true,simulator.enabled=true"
			plain(t, helm, trial)
			out, err := shell(t.Context(), helm, "helm upgrade pos deploy/helm -n "+plainNamespace+" "+trial+",nats.server.persistence.enabled=true")
			if err == nil || !strings.Contains(out, "nats.server.persistence cannot be changed after the install") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// Helm 4 refuses to change a field that somebody else has changed since; the chart's
// README.md says what to do.
func TestConflicts(t *testing.T) {
	needs(t)
	plain(t, helm4, "--set replicaCount=3")
	must(t, helm4, "kubectl -n "+plainNamespace+" scale deploy/pos-pos-bridge --replicas=5")
	again := "helm upgrade pos deploy/helm -n " + plainNamespace + " --set replicaCount=3"
	if out, err := shell(t.Context(), helm4, again); err == nil || !strings.Contains(out, "conflict") {
		t.Errorf("%v\n%s", err, out)
	}
	must(t, helm4, again+" --force-conflicts")
	if got := must(t, helm4, "kubectl -n "+plainNamespace+" get deploy pos-pos-bridge -o jsonpath='{.spec.replicas}'"); got != "3" {
		t.Errorf("%s replicas, want 3", got)
	}
}
