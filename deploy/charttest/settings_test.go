package charttest

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
)

// What operators ask for reaches the object it is meant for.
func TestSettingsOfOperators(t *testing.T) {
	t.Parallel()
	type settings = map[string]any
	policy := func(r rendered, name string) networking.NetworkPolicySpec {
		return find[*networking.NetworkPolicy](t, r, name).Spec
	}
	behavior := func(r rendered) *autoscaling.HorizontalPodAutoscalerBehavior {
		return find[*autoscaling.HorizontalPodAutoscaler](t, r, "pos-pos-bridge").Spec.Behavior
	}
	service := func(r rendered) core.ServiceSpec { return find[*core.Service](t, r, "pos-pos-bridge").Spec }
	peer := []any{settings{"namespaceSelector": settings{"matchLabels": settings{"a": "shop"}}}}
	for name, test := range map[string]struct {
		values settings
		got    func(r rendered) any
		want   any
	}{
		"deployment annotations": {
			set("deploymentAnnotations", settings{"a": "b"}),
			func(r rendered) any { return find[*apps.Deployment](t, r, "pos-pos-bridge").Annotations }, "map[a:b]",
		},
		"service account labels": {
			set("serviceAccount.labels", settings{"a": "b"}),
			func(r rendered) any { return find[*core.ServiceAccount](t, r, "pos-pos-bridge").Labels["a"] }, "b",
		},
		"service account token": {
			set("serviceAccount.automount", true),
			func(r rendered) any {
				return fmt.Sprint(*find[*core.ServiceAccount](t, r, "pos-pos-bridge").AutomountServiceAccountToken,
					*find[*apps.Deployment](t, r, "pos-pos-bridge").Spec.Template.Spec.AutomountServiceAccountToken,
					*find[*core.Pod](t, r, "pos-pos-bridge-test").Spec.AutomountServiceAccountToken)
			}, "true true false",
		},
		"service labels": {
			set("service.labels", settings{"a": "b"}),
			func(r rendered) any { return find[*core.Service](t, r, "pos-pos-bridge").Labels["a"] }, "b",
		},
		"families": {
			merge(set("service.ipFamilyPolicy", "RequireDualStack"), set("service.ipFamilies", []any{"IPv6", "IPv4"})),
			func(r rendered) any { return fmt.Sprint(*service(r).IPFamilyPolicy, service(r).IPFamilies) }, "RequireDualStack[IPv6 IPv4]",
		},
		"protocol": {
			merge(set("service.appProtocol", "http"), set("webhook.enabled", true)),
			func(r rendered) any {
				return *service(r).Ports[0].AppProtocol + " " + *service(r).Ports[1].AppProtocol
			}, "http http",
		},
		"balancer with ranges": {
			merge(set("service.type", "LoadBalancer"), set("service.loadBalancerSourceRanges", []any{"10.0.0.0/8", "fd00::/8"})),
			func(r rendered) any { return service(r).LoadBalancerSourceRanges }, "[10.0.0.0/8 fd00::/8]",
		},
		"balancer with token": {
			merge(set("service.type", "LoadBalancer"), set("console.tokenSecretName", "token")),
			func(r rendered) any { return service(r).Type }, "LoadBalancer",
		},
		"autoscaler's behaviour": {
			merge(set("autoscaling.enabled", true), set("autoscaling.behavior", settings{
				"scaleUp":   settings{"stabilizationWindowSeconds": 7},
				"scaleDown": settings{"selectPolicy": "Min"},
			})),
			func(r rendered) any {
				down := behavior(r).ScaleDown
				return fmt.Sprint(*behavior(r).ScaleUp.StabilizationWindowSeconds, *down.StabilizationWindowSeconds, *down.SelectPolicy, len(down.Policies))
			}, "7 300Min1",
		},
		"tills elsewhere": {
			merge(set("nats.enabled", true), set("networkPolicy.tills.from", peer)),
			func(r rendered) any {
				from := policy(r, "pos-pos-bridge-nats").Ingress[0].From
				return fmt.Sprint(len(from), from[1].NamespaceSelector.MatchLabels)
			}, "2 map[a:shop]",
		},
		"console at the root": {
			merge(set("console.tokenSecretName", "t"), set("console.ingress", settings{"enabled": true, "host": "h"})),
			func(r rendered) any {
				return paths(find[*networking.Ingress](t, r, "pos-pos-bridge-console").Spec)
			}, "/ Exact http, /console Prefix http",
		},
		"console under a path": {
			merge(set("console.tokenSecretName", "t"), set("console.ingress", settings{"enabled": true, "host": "h", "path": "/a(/console/.*|/$)"})),
			func(r rendered) any {
				return paths(find[*networking.Ingress](t, r, "pos-pos-bridge-console").Spec)
			}, "/a(/console/.*|/$) ImplementationSpecific http",
		},
		"console routed at the root": {
			merge(set("console.tokenSecretName", "t"), set("console.route", settings{"enabled": true, "parentRefs": []any{settings{"name": "g"}}})),
			func(r rendered) any {
				return matches(find[*gateway.HTTPRoute](t, r, "pos-pos-bridge-console").Spec)
			}, "Exact / 8080, PathPrefix /console 8080",
		},
		"console routed under a path": {
			merge(set("console.tokenSecretName", "t"), set("console.route", settings{"enabled": true, "path": "/a/", "parentRefs": []any{settings{"name": "g"}}})),
			func(r rendered) any {
				return matches(find[*gateway.HTTPRoute](t, r, "pos-pos-bridge-console").Spec)
			}, "Exact /a RequestRedirect, Exact /a/ URLRewrite 8080, PathPrefix /a/console URLRewrite 8080",
		},
		"webhook routed": {
			merge(set("webhook", settings{"enabled": true, "url": "https://h.example.com/msp"}), set("webhook.route", settings{"enabled": true, "parentRefs": []any{settings{"name": "g"}}})),
			func(r rendered) any {
				return matches(find[*gateway.HTTPRoute](t, r, "pos-pos-bridge-webhook").Spec)
			}, "Exact /msp 8090",
		},
		"another namespace": {
			merge(set("namespaceOverride", "tills"), set("tracing.endpoint", "http://c:4318"), set("metrics.prometheusRule.enabled", true)),
			func(r rendered) any {
				all := r.Notes
				for _, o := range r.Objects {
					all += o.YAML
				}
				return strings.Join(regexp.MustCompile(`.*(namespace|-n).*payments.*`).FindAllString(all, -1), "\n")
			}, "  helm -n payments test pos   # the log: kubectl -n tills logs pos-pos-bridge-test",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := render(t, test.values)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(test.got(r)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// paths shows where an Ingress leads.
func paths(spec networking.IngressSpec) string {
	var all []string
	for _, p := range spec.Rules[0].HTTP.Paths {
		all = append(all, p.Path+" "+string(*p.PathType)+" "+p.Backend.Service.Port.Name)
	}
	return strings.Join(all, ", ")
}

// The example's path and annotation, as ingress-nginx uses them: an expression that is
// bound at its beginning, and what replaces the whole path.
func TestRewriteOfTheIngressExample(t *testing.T) {
	t.Parallel()
	console := find[*networking.Ingress](t, mustRender(t, "ingress"), "pos-pos-bridge-console")
	path := regexp.MustCompile("(?i)^" + console.Spec.Rules[0].HTTP.Paths[0].Path)
	target := console.Annotations["nginx.ingress.kubernetes.io/rewrite-target"]
	for asked, want := range map[string]string{
		"/pos-bridge/":               "/",
		"/pos-bridge/console/app.js": "/console/app.js",
		"/pos-bridge/console/events": "/console/events",
		"/pos-bridge/metrics":        "",
		"/pos-bridge/readyz":         "",
		"/metrics":                   "",
	} {
		got := ""
		if match := path.FindStringSubmatch(asked); match != nil {
			got = strings.ReplaceAll(target, "$1", match[1])
		}
		if got != want {
			t.Errorf("%s leads to %q, want %q", asked, got, want)
		}
	}
}

// matches shows where a route leads.
func matches(spec gateway.HTTPRouteSpec) string {
	var all []string
	for _, rule := range spec.Rules {
		one := string(*rule.Matches[0].Path.Type) + " " + *rule.Matches[0].Path.Value
		for _, f := range rule.Filters {
			one += " " + string(f.Type)
		}
		for _, b := range rule.BackendRefs {
			one += fmt.Sprint(" ", *b.Port)
		}
		all = append(all, one)
	}
	return strings.Join(all, ", ")
}

// A budget that forbids every drain is taken, with a warning.
func TestBudgetThatBlocksDrains(t *testing.T) {
	t.Parallel()
	budget := func(value map[string]any) map[string]any { return set("podDisruptionBudget", value) }
	for name, test := range map[string]struct {
		values map[string]any
		warned bool
	}{
		"default":                {nil, false},
		"one replica":            {set("replicaCount", 1), false},
		"nobody may go":          {budget(map[string]any{"maxUnavailable": 0}), true},
		"none in percent":        {budget(map[string]any{"maxUnavailable": "0%"}), true},
		"little is one":          {budget(map[string]any{"maxUnavailable": "1%"}), false},
		"all must stay":          {budget(map[string]any{"minAvailable": 2}), true},
		"one must stay":          {budget(map[string]any{"minAvailable": 1}), false},
		"none must stay":         {budget(map[string]any{"minAvailable": 0}), false},
		"rounded up to all":      {budget(map[string]any{"minAvailable": "51%"}), true},
		"half":                   {budget(map[string]any{"minAvailable": "50%"}), false},
		"the autoscaler's least": {merge(set("autoscaling.enabled", true), budget(map[string]any{"minAvailable": 2})), true},
		"switched off":           {budget(map[string]any{"enabled": false, "maxUnavailable": 0}), false},
		"no replicas":            {merge(set("replicaCount", 0), budget(map[string]any{"maxUnavailable": 0})), false},
	} {
		r, err := render(t, test.values)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := strings.Contains(r.Notes, "WARNING: podDisruptionBudget allows no eviction"); got != test.warned {
			t.Errorf("%s: warned %v, want %v\n%s", name, got, test.warned, r.Notes)
		}
	}
}

// The notes say what an uninstall leaves behind.
func TestNotesOfUninstall(t *testing.T) {
	t.Parallel()
	for want, values := range map[string]map[string]any{
		"the pod pos-pos-bridge-test":                       nil,
		"delete pvc data-pos-pos-bridge-nats-0":             merge(set("nats.enabled", true), set("nats.server.persistence.enabled", true)),
		"leaves behind: Secrets that you made, the streams": set("tests.enabled", false),
	} {
		r, err := render(t, values)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(r.Notes, want) {
			t.Errorf("the notes do not say %q:\n%s", want, r.Notes)
		}
	}
}

// The notes name every command that the bridge takes.
func TestNotesOfCommands(t *testing.T) {
	t.Parallel()
	r, err := render(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, notes, _ := strings.Cut(r.Notes, "Commands are taken on pos.payment")
	notes, _, _ = strings.Cut(notes, ";")
	commands := regexp.MustCompile("(?m)^\\| (\\w+) \\| `pos\\.payment\\.").FindAllStringSubmatch(readFile(t, repository+"/docs/messages.md"), -1)
	if len(commands) < 5 {
		t.Fatalf("docs/messages.md lists %d commands", len(commands))
	}
	for _, command := range commands {
		if !strings.Contains(notes, "."+command[1]) {
			t.Errorf("the notes do not name %s:\n%s", command[1], r.Notes)
		}
	}
}

// The ways to write braces that README.md shows.
func TestEscapedManifests(t *testing.T) {
	t.Parallel()
	readme := readFile(t, chartDir+"/README.md")
	_, text, _ := strings.Cut(readme, "<!-- escape -->\n```yaml\n")
	text, _, ok := strings.Cut(text, "```")
	if !ok {
		t.Fatal("README.md has no block after <!-- escape -->")
	}
	r, err := render(t, decode[map[string]any](t, text))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"as-map", "as-text"} {
		c := find[*core.ConfigMap](t, r, name)
		if got := c.Data["summary"]; got != "{{ $value }} of pos" {
			t.Errorf("%s: %q", name, got)
		}
	}
}
