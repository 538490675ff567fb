package charttest

import (
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/scheme"
)

// cluster is what the template function lookup finds; the zero value is empty.
type cluster struct{ objects []runtime.Object }

// in returns a cluster with the objects of a rendering.
func in(t testing.TB, r rendered) cluster {
	t.Helper()
	var c cluster
	for _, o := range r.Objects {
		switch obj := typed(t, o).(type) {
		case *apps.Deployment, *apps.StatefulSet:
			c.objects = append(c.objects, obj)
		}
	}
	return c
}

// GetClientFor makes a cluster what Helm's engine looks things up in.
func (c cluster) GetClientFor(apiVersion, kind string) (dynamic.NamespaceableResourceInterface, bool, error) {
	gv, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return nil, false, err
	}
	client := fake.NewSimpleDynamicClient(scheme.Scheme, c.objects...)
	return client.Resource(gv.WithResource(strings.ToLower(kind) + "s")), true, nil
}

// An upgrade with autoscaling keeps the replicas that are there: without the field
// Kubernetes would start again from one.
func TestAutoscalingNeverShrinks(t *testing.T) {
	t.Parallel()
	on := merge(set("autoscaling.enabled", true), set("autoscaling.minReplicas", 3))
	for name, test := range map[string]struct {
		there any // replicas before; nil when nothing is installed
		want  int32
	}{
		"first install":         {nil, 3},
		"turned on":             {4, 4},
		"the autoscaler's work": {9, 9},
		"was stopped":           {0, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var there cluster
			if test.there != nil {
				before, err := render(t, set("replicaCount", test.there))
				if err != nil {
					t.Fatal(err)
				}
				there = in(t, before)
			}
			r, err := renderIn(t, there, on)
			if err != nil {
				t.Fatal(err)
			}
			got := find[*apps.Deployment](t, r, "pos-pos-bridge").Spec.Replicas
			if got == nil || *got != test.want {
				t.Errorf("replicas %v, want %d", got, test.want)
			}
		})
	}
}

// Kubernetes refuses to change a StatefulSet's volumes; the chart says what to do.
func TestPersistenceStays(t *testing.T) {
	t.Parallel()
	trial := set("nats.enabled", true)
	kept := merge(trial, set("nats.server.persistence.enabled", true), set("nats.server.persistence.size", "2Gi"))
	for name, test := range map[string]struct {
		before, after map[string]any
		refused       bool
	}{
		"off":           {trial, trial, false},
		"on":            {kept, kept, false},
		"the same size": {kept, merge(kept, set("nats.server.persistence.size", "2048Mi")), false},
		"turned on":     {trial, kept, true},
		"turned off":    {kept, trial, true},
		"larger":        {kept, merge(kept, set("nats.server.persistence.size", "3Gi")), true},
		"another class": {kept, merge(kept, set("nats.server.persistence.storageClassName", "fast")), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, err := render(t, test.before)
			if err != nil {
				t.Fatal(err)
			}
			_, err = renderIn(t, in(t, before), test.after)
			if refused := err != nil && strings.Contains(err.Error(), "cannot be changed after the install"); refused != test.refused {
				t.Errorf("refused %v, want %v: %v", refused, test.refused, err)
			}
		})
	}
}
