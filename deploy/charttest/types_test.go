package charttest

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes/scheme"
	podsecurityapi "k8s.io/pod-security-admission/api"
	podsecurity "k8s.io/pod-security-admission/policy"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
)

// strict decodes YAML into Kubernetes' own types, the prometheus-operator's and the
// Gateway API's; it refuses unknown and repeated fields.
var strict = func() runtime.Decoder {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, monitoring.AddToScheme, gateway.Install} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return serializer.NewCodecFactory(s, serializer.EnableStrict).UniversalDeserializer()
}()

func typed(t testing.TB, o object) runtime.Object {
	t.Helper()
	obj, _, err := strict.Decode([]byte(o.YAML), nil, nil)
	if err != nil {
		t.Fatalf("%s of %s: %v\n%s", o, o.Template, err, o.YAML)
	}
	return obj
}

// find returns the one object of a type and name.
func find[T runtime.Object](t testing.TB, r rendered, name string) T {
	t.Helper()
	for _, o := range r.Objects {
		if obj, ok := typed(t, o).(T); ok && o.Name == name {
			return obj
		}
	}
	var zero T
	t.Fatalf("there is no %T named %s", zero, name)
	return zero
}

// podOf returns the pod that an object makes, if it makes any.
func podOf(obj runtime.Object) *core.PodTemplateSpec {
	switch o := obj.(type) {
	case *apps.Deployment:
		return &o.Spec.Template
	case *apps.StatefulSet:
		return &o.Spec.Template
	case *core.Pod:
		return &core.PodTemplateSpec{ObjectMeta: o.ObjectMeta, Spec: o.Spec}
	}
	return nil
}

func TestEveryObjectIsWhatKubernetesKnows(t *testing.T) {
	t.Parallel()
	for _, name := range caseNames() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := map[string]bool{}
			want := namespace
			if override, ok := values(t, name)["namespaceOverride"].(string); ok {
				want = override
			}
			for _, o := range mustRender(t, name).Objects {
				obj := typed(t, o)
				m, ok := obj.(meta.Object)
				if !ok {
					t.Fatalf("%s has no metadata", o)
				}
				if seen[o.String()] {
					t.Errorf("%s is there twice", o)
				}
				seen[o.String()] = true
				for _, problem := range validation.IsDNS1123Subdomain(m.GetName()) {
					t.Errorf("%s: name: %s", o, problem)
				}
				for k, v := range m.GetLabels() {
					for _, problem := range append(validation.IsQualifiedName(k), validation.IsValidLabelValue(v)...) {
						t.Errorf("%s: label %s=%s: %s", o, k, v, problem)
					}
				}
				if o.Template != "pos-bridge/templates/extra.yaml" && m.GetNamespace() != want {
					t.Errorf("%s: namespace %q, want %q", o, m.GetNamespace(), want)
				}
			}
		})
	}
}

func TestDecodingIsStrict(t *testing.T) {
	t.Parallel()
	text := "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {prots: []}\n"
	if _, _, err := strict.Decode([]byte(text), nil, nil); err == nil {
		t.Fatal("a Service with the field prots was decoded")
	}
}

// A selector that selects nothing is the commonest silent fault of a chart.
func TestSelectorsSelect(t *testing.T) {
	t.Parallel()
	for _, name := range caseNames() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := mustRender(t, name)
			pods := map[string]*core.PodTemplateSpec{}
			services := map[string]*core.Service{}
			for _, o := range r.Objects {
				obj := typed(t, o)
				if pod := podOf(obj); pod != nil {
					pods[o.String()] = pod
				}
				if s, ok := obj.(*core.Service); ok {
					services[o.Name] = s
				}
			}
			chosen := func(sel labels.Selector) []string {
				var names []string
				for n, pod := range pods {
					if sel.Matches(labels.Set(pod.Labels)) {
						names = append(names, n)
					}
				}
				slices.Sort(names)
				return names
			}
			want := func(what string, sel labels.Selector, owner string) {
				t.Helper()
				if got := chosen(sel); !slices.Equal(got, []string{owner}) {
					t.Errorf("%s selects %v, want %s alone", what, got, owner)
				}
			}
			full := fullname(r)
			owner := map[string]string{full: "Deployment/" + full, full + "-simulator": "Deployment/" + full + "-simulator", full + "-nats": "StatefulSet/" + full + "-nats"}
			for _, o := range r.Objects {
				switch obj := typed(t, o).(type) {
				case *apps.Deployment:
					want(o.String(), selector(t, obj.Spec.Selector), o.String())
					for _, c := range obj.Spec.Template.Spec.TopologySpreadConstraints {
						want("topology spread of "+o.String(), selector(t, c.LabelSelector), o.String())
					}
				case *apps.StatefulSet:
					want(o.String(), selector(t, obj.Spec.Selector), o.String())
				case *core.Service:
					want(o.String(), labels.SelectorFromSet(obj.Spec.Selector), owner[o.Name])
					ports := map[string]bool{}
					for _, c := range pods[owner[o.Name]].Spec.Containers {
						for _, p := range c.Ports {
							ports[p.Name] = true
						}
					}
					for _, p := range obj.Spec.Ports {
						if !ports[p.TargetPort.StrVal] {
							t.Errorf("%s: no container has the port %s", o, p.TargetPort.StrVal)
						}
					}
				case *policyv1.PodDisruptionBudget:
					want(o.String(), selector(t, obj.Spec.Selector), owner[o.Name])
				case *networking.NetworkPolicy:
					// The test's pod goes where the bridge goes, and may be nobody else's.
					got := slices.DeleteFunc(chosen(selector(t, &obj.Spec.PodSelector)), func(n string) bool {
						return o.Name == full && n == "Pod/"+full+"-test"
					})
					if !slices.Equal(got, []string{owner[o.Name]}) {
						t.Errorf("%s selects %v, want %s", o, got, owner[o.Name])
					}
				case *autoscaling.HorizontalPodAutoscaler:
					if got := obj.Spec.ScaleTargetRef; got.Kind+"/"+got.Name != owner[o.Name] {
						t.Errorf("%s scales %s/%s", o, got.Kind, got.Name)
					}
				case *monitoring.ServiceMonitor:
					var got []string
					for n, s := range services {
						if selector(t, &obj.Spec.Selector).Matches(labels.Set(s.Labels)) {
							got = append(got, n)
						}
					}
					if !slices.Equal(got, []string{full}) {
						t.Errorf("%s selects the services %v, want %s alone", o, got, full)
					}
				}
			}
		})
	}
}

// fullname is the name of the bridge's own objects in a rendering.
func fullname(r rendered) string {
	for _, o := range r.Objects {
		if o.Template == "pos-bridge/templates/deployment.yaml" {
			return o.Name
		}
	}
	return ""
}

func selector(t testing.TB, s *meta.LabelSelector) labels.Selector {
	t.Helper()
	sel, err := meta.LabelSelectorAsSelector(s)
	if err != nil {
		t.Fatal(err)
	}
	return sel
}

// Every pod passes the Pod Security Standard "restricted" as the API server's
// own admission plugin judges it.
func TestPodsAreRestricted(t *testing.T) {
	t.Parallel()
	evaluator, err := podsecurity.NewEvaluator(podsecurity.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := podsecurityapi.LevelVersion{Level: podsecurityapi.LevelRestricted, Version: podsecurityapi.LatestVersion()}
	for _, name := range caseNames() {
		for _, o := range mustRender(t, name).Objects {
			pod := podOf(typed(t, o))
			if pod == nil {
				continue
			}
			for _, result := range evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec) {
				if !result.Allowed {
					t.Errorf("%s: %s: %s %s", name, o, result.ForbiddenReason, result.ForbiddenDetail)
				}
			}
			wantsToken := name == "operators" && o.Kind == "Deployment"
			if got := pod.Spec.AutomountServiceAccountToken; got == nil || *got != wantsToken {
				t.Errorf("%s: %s gets a token for the Kubernetes API", name, o)
			}
			for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
				if c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
					t.Errorf("%s: %s: container %s may write to its root", name, o, c.Name)
				}
				if c.Resources.Requests.Cpu().IsZero() || c.Resources.Limits.Memory().IsZero() {
					t.Errorf("%s: %s: container %s has no CPU request or no memory limit", name, o, c.Name)
				}
			}
		}
	}
}

// Whatever is mounted has a volume, and whatever file a variable names lies in
// a mount. Secrets are mounted as directories, or they would not follow changes.
func TestMounts(t *testing.T) {
	t.Parallel()
	for _, name := range caseNames() {
		for _, o := range mustRender(t, name).Objects {
			pod := podOf(typed(t, o))
			if pod == nil {
				continue
			}
			volumes := map[string]core.Volume{}
			for _, v := range pod.Spec.Volumes {
				volumes[v.Name] = v
				if v.Secret == nil {
					continue
				}
				if v.Secret.DefaultMode == nil || *v.Secret.DefaultMode != 0o440 {
					t.Errorf("%s: %s: secret %s is not mode 0440", name, o, v.Name)
				}
				if len(v.Secret.Items) > 0 {
					t.Errorf("%s: %s: secret %s is not mounted whole", name, o, v.Name)
				}
			}
			for _, c := range pod.Spec.Containers {
				var paths []string
				for _, m := range c.VolumeMounts {
					if _, ok := volumes[m.Name]; !ok && o.Kind != "StatefulSet" {
						t.Errorf("%s: %s mounts %s, which is no volume", name, o, m.Name)
					}
					if m.SubPath != "" || m.SubPathExpr != "" {
						t.Errorf("%s: %s mounts %s with a subPath", name, o, m.Name)
					}
					paths = append(paths, m.MountPath)
				}
				seen := map[string]bool{}
				for _, e := range c.Env {
					if seen[e.Name] {
						t.Errorf("%s: %s sets %s twice", name, o, e.Name)
					}
					seen[e.Name] = true
					if strings.HasPrefix(e.Name, "BRIDGE_") && strings.HasSuffix(e.Name, "_FILE") {
						if !slices.ContainsFunc(paths, func(p string) bool { return strings.HasPrefix(e.Value, p+"/") }) {
							t.Errorf("%s: %s: %s=%s lies in no mount of %v", name, o, e.Name, e.Value, paths)
						}
					}
				}
			}
		}
	}
}

// The API server refuses a Recreate that has a rollingUpdate beside it.
func TestStrategy(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]bool{"RollingUpdate": true, "Recreate": false} {
		r, err := render(t, set("strategy.type", kind))
		if err != nil {
			t.Fatal(err)
		}
		s := find[*apps.Deployment](t, r, "pos-pos-bridge").Spec.Strategy
		if string(s.Type) != kind || (s.RollingUpdate != nil) != want {
			t.Errorf("%s gives %+v", kind, s)
		}
	}
}

// Where all is forbidden that is not allowed, "helm test" reaches NATS all the same.
func TestPolicyOfTheTest(t *testing.T) {
	t.Parallel()
	for _, name := range caseNames() {
		r := mustRender(t, name)
		full := fullname(r)
		pod := find[*core.Pod](t, r, full+"-test")
		policy := find[*networking.NetworkPolicy](t, r, full)
		if !selector(t, &policy.Spec.PodSelector).Matches(labels.Set(pod.Labels)) {
			t.Errorf("%s: %s has no policy", name, pod.Name)
		}
	}
}

func TestGracePeriodFollowsTheDrain(t *testing.T) {
	t.Parallel()
	for drain, want := range map[string]int64{
		"20s": 30, "500ms": 11, "1m30s": 100, "1h": 3610, "0.5m": 40, "1m0.2s": 71,
	} {
		r, err := render(t, set("config.drainTimeout", drain))
		if err != nil {
			t.Errorf("drain %s: %v", drain, err)
			continue
		}
		d := find[*apps.Deployment](t, r, "pos-pos-bridge")
		if got := *d.Spec.Template.Spec.TerminationGracePeriodSeconds; got != want {
			t.Errorf("drain %s: grace period %d s, want %d", drain, got, want)
		}
	}
}

// The policy lets the bridge go to DNS, NATS and the provider, on their ports.
func TestNetworkPolicyPorts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		values map[string]any
		want   string
	}{
		"default":           {nil, "53 53 | 4222 | 443"},
		"cluster":           {set("nats.url", "nats://a,tls://b:4333, wss://c,ws://d"), "53 53 | 4222 4333 443 80 | 443"},
		"url from a secret": {set("nats.urlSecret.name", "url"), "53 53 | 4222 | 443"},
		"own ports":         {merge(set("networkPolicy.nats.ports", []any{5000}), set("networkPolicy.provider.ports", []any{8443})), "53 53 | 5000 | 8443"},
		"api with a port":   {set("provider.apiURL", "http://msp.internal:8081/v1/json"), "53 53 | 4222 | 8081"},
		"api over http":     {set("provider.apiURL", "http://msp.internal/v1/json"), "53 53 | 4222 | 80"},
		"simulator":         {merge(set("simulator.enabled", true), set("nats.enabled", true)), "53 53 | 4222 | 8900"},
		"dns elsewhere":     {set("networkPolicy.dns.ports", []any{5353, 53}), "5353 5353 53 53 | 4222 | 443"},
		"traces":            {set("tracing.endpoint", "http://collector:4318"), "53 53 | 4222 | 443 | 4318"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := render(t, test.values)
			if err != nil {
				t.Fatal(err)
			}
			p := find[*networking.NetworkPolicy](t, r, "pos-pos-bridge")
			var rules []string
			for _, rule := range p.Spec.Egress {
				var ports []string
				for _, port := range rule.Ports {
					ports = append(ports, port.Port.String())
				}
				rules = append(rules, strings.Join(ports, " "))
			}
			if got := strings.Join(rules, " | "); got != test.want {
				t.Errorf("egress on %q, want %q", got, test.want)
			}
		})
	}
}

// Every variable that the chart sets is one that the bridge reads, and every
// setting of the bridge can be reached through the chart.
func TestVariables(t *testing.T) {
	t.Parallel()
	source := readFile(t, "../../bridge/config_table.go")
	known := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?:\bName: |\bduration\()"([A-Z_]+)"`).FindAllStringSubmatch(source, -1) {
		known["BRIDGE_"+row[1]] = true
	}
	if len(known) < 30 {
		t.Fatalf("found only %d variables in bridge/config_table.go", len(known))
	}
	used := map[string]bool{}
	for _, name := range caseNames() {
		for _, o := range mustRender(t, name).Objects {
			pod := podOf(typed(t, o))
			if pod == nil {
				continue
			}
			for _, e := range pod.Spec.Containers[0].Env {
				if !strings.HasPrefix(e.Name, "BRIDGE_") {
					continue
				}
				if !known[e.Name] {
					t.Errorf("%s: %s sets %s, which the bridge does not read", name, o, e.Name)
				}
				used[e.Name] = true
			}
		}
	}
	// The replica's id is made from the pod's name by the bridge itself.
	used["BRIDGE_REPLICA_ID"] = true
	var unreachable []string
	for name := range known {
		if !used[name] {
			unreachable = append(unreachable, name)
		}
	}
	slices.Sort(unreachable)
	if len(unreachable) > 0 {
		t.Errorf("no values file of the tests sets %v; can the chart?", unreachable)
	}
}

func TestImage(t *testing.T) {
	t.Parallel()
	digest := "sha256:" + strings.Repeat("0a", 32)
	for want, v := range map[string]map[string]any{
		"posbridge/bridge:0.1.0":                      nil,
		"registry.example.com/posbridge/bridge:0.1.0": set("image.registry", "registry.example.com"),
		"posbridge/bridge:v2":                         set("image.tag", "v2"),
		"posbridge/bridge:20250101":                   set("image.tag", 20250101),
		"posbridge/bridge:20250102":                   set("image.tag", float64(20250102)),
		"mirror.example.com/posbridge/bridge:0.1.0":   merge(set("image.registry", "registry.example.com"), set("global.imageRegistry", "mirror.example.com")),
		"posbridge/bridge@" + digest:                  merge(set("image.tag", "v2"), set("image.digest", digest)),
	} {
		r, err := render(t, v)
		if err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		d := find[*apps.Deployment](t, r, "pos-pos-bridge")
		if got := d.Spec.Template.Spec.Containers[0].Image; got != want {
			t.Errorf("image %s, want %s", got, want)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 70)
	for _, v := range []map[string]any{
		set("fullnameOverride", long),
		merge(set("nameOverride", long), set("nats.enabled", true), set("simulator.enabled", true)),
	} {
		r, err := render(t, v)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range r.Objects {
			if problems := validation.IsDNS1123Label(o.Name); len(problems) > 0 {
				t.Errorf("%v: %s: %v", slices.Collect(maps.Keys(v)), o, problems)
			}
			m := typed(t, o).(meta.Object)
			for k, value := range m.GetLabels() {
				if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
					t.Errorf("%s: label %s: %v", o, k, problems)
				}
			}
		}
	}
}
