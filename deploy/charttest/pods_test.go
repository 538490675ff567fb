package charttest

import (
	"reflect"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
)

// trialPods returns the four pods of a trial, by component.
func trialPods(t *testing.T, more ...map[string]any) map[string]*core.PodTemplateSpec {
	t.Helper()
	trial := merge(set("nats.enabled", true), set("simulator.enabled", true))
	r, err := render(t, merge(append([]map[string]any{trial}, more...)...))
	if err != nil {
		t.Fatal(err)
	}
	pods := map[string]*core.PodTemplateSpec{}
	for _, o := range r.Objects {
		if pod := podOf(typed(t, o)); pod != nil {
			pods[pod.Labels["app.kubernetes.io/component"]] = pod
		}
	}
	if len(pods) != 4 {
		t.Fatalf("a trial has the pods %v", pods)
	}
	return pods
}

// Where pods may run is said once, for all four.
func TestAllPodsAreScheduledAlike(t *testing.T) {
	t.Parallel()
	resources := map[string]any{
		"requests": map[string]any{"cpu": "11m", "memory": "33Mi"},
		"limits":   map[string]any{"cpu": "222m", "memory": "77Mi"},
	}
	pods := trialPods(t,
		set("nodeSelector", map[string]any{"disk": "ssd"}),
		set("tolerations", []any{map[string]any{"key": "payments", "operator": "Exists"}}),
		set("affinity", map[string]any{"nodeAffinity": map[string]any{}}),
		set("priorityClassName", "high"),
		set("podLabels", map[string]any{"a": "b"}),
		set("podAnnotations", map[string]any{"c": "d"}),
		set("global.imagePullSecrets", []any{"one", map[string]any{"name": "two"}}),
		set("imagePullSecrets", []any{map[string]any{"name": "two"}, map[string]any{"name": "three"}}),
		set("resources", resources), set("tests.resources", resources),
		set("simulator.resources", resources), set("nats.server.resources", resources),
	)
	for component, pod := range pods {
		spec := pod.Spec
		if spec.NodeSelector["disk"] != "ssd" || len(spec.Tolerations) != 1 || spec.Affinity == nil ||
			spec.Affinity.NodeAffinity == nil || spec.PriorityClassName != "high" {
			t.Errorf("%s: scheduled by %v %v %v %q", component, spec.NodeSelector, spec.Tolerations, spec.Affinity, spec.PriorityClassName)
		}
		if pod.Labels["a"] != "b" || pod.Annotations["c"] != "d" {
			t.Errorf("%s: labels %v, annotations %v", component, pod.Labels, pod.Annotations)
		}
		if got := spec.Containers[0].Resources; got.Limits.Cpu().String() != "222m" || got.Requests.Memory().String() != "33Mi" {
			t.Errorf("%s: resources %v", component, got)
		}
		want := []core.LocalObjectReference{{Name: "one"}, {Name: "two"}, {Name: "three"}}
		if !reflect.DeepEqual(spec.ImagePullSecrets, want) {
			t.Errorf("%s: pull secrets %v, want %v", component, spec.ImagePullSecrets, want)
		}
	}
}

// The log of "helm test" can be read, and a quota of CPU and memory, requests and
// limits, lets its pod in.
func TestThePodOfHelmTest(t *testing.T) {
	t.Parallel()
	pod := trialPods(t)["test"]
	if got := pod.Annotations["helm.sh/hook-delete-policy"]; strings.Contains(got, "hook-succeeded") {
		t.Errorf("the pod is deleted before its log is read: %s", got)
	}
	r := pod.Spec.Containers[0].Resources
	for what, quantity := range map[string]bool{
		"requests.cpu": r.Requests.Cpu().IsZero(), "requests.memory": r.Requests.Memory().IsZero(),
		"limits.cpu": r.Limits.Cpu().IsZero(), "limits.memory": r.Limits.Memory().IsZero(),
	} {
		if quantity {
			t.Errorf("a quota for %s refuses the test", what)
		}
	}
}

// One value reaches whatever has no value of its own.
func TestPodSpecIsMerged(t *testing.T) {
	t.Parallel()
	text := `
hostAliases: [{ip: 10.0.0.1, hostnames: [a]}]
dnsPolicy: None
dnsConfig: {nameservers: [10.0.0.2]}
runtimeClassName: gvisor
securityContext: {runAsUser: 1000670000, runAsGroup: null}
initContainers: [{name: first, image: i}]
volumes: [{name: api-key, emptyDir: {}}, {name: more, emptyDir: {}}]
containers:
  - {name: beside, image: b}
  - name: bridge
    lifecycle: {preStop: {sleep: {seconds: 5}}}
    env: [{name: BRIDGE_HTTP_ADDR, value: ":1"}, {name: MORE, value: x}]
`
	r, err := render(t, set("podSpec", decode[map[string]any](t, text)))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := render(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := find[*apps.Deployment](t, r, "pos-pos-bridge").Spec.Template.Spec
	want := find[*apps.Deployment](t, plain, "pos-pos-bridge").Spec.Template.Spec
	want.HostAliases = []core.HostAlias{{IP: "10.0.0.1", Hostnames: []string{"a"}}}
	want.DNSPolicy = core.DNSNone
	want.DNSConfig = &core.PodDNSConfig{Nameservers: []string{"10.0.0.2"}}
	want.RuntimeClassName = ptr("gvisor")
	want.SecurityContext.RunAsUser, want.SecurityContext.RunAsGroup = ptr(int64(1000670000)), nil
	want.InitContainers = []core.Container{{Name: "first", Image: "i"}}
	want.Volumes = []core.Volume{
		{Name: "api-key", VolumeSource: core.VolumeSource{EmptyDir: &core.EmptyDirVolumeSource{}}},
		{Name: "more", VolumeSource: core.VolumeSource{EmptyDir: &core.EmptyDirVolumeSource{}}},
	}
	bridge := &want.Containers[0]
	bridge.Lifecycle = &core.Lifecycle{PreStop: &core.LifecycleHandler{Sleep: &core.SleepAction{Seconds: 5}}}
	for i := range bridge.Env {
		if bridge.Env[i].Name == "BRIDGE_HTTP_ADDR" {
			bridge.Env[i].Value = ":1"
		}
	}
	bridge.Env = append(bridge.Env, core.EnvVar{Name: "MORE", Value: "x"})
	want.Containers = append(want.Containers, core.Container{Name: "beside", Image: "b"})
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// Each of the other three pods has a value of its own for the same.
func TestEveryPodHasAPodSpec(t *testing.T) {
	t.Parallel()
	more := map[string]any{"dnsPolicy": "Default"}
	pods := trialPods(t, set("podSpec", more), set("tests.podSpec", more), set("nats.server.podSpec", more), set("simulator.podSpec", more))
	for component, pod := range pods {
		if pod.Spec.DNSPolicy != core.DNSDefault {
			t.Errorf("%s: DNS policy %q", component, pod.Spec.DNSPolicy)
		}
	}
}

func ptr[T any](v T) *T { return &v }
