package charttest

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
)

// nats-server takes the trial server's configuration, and it fits the pod.
func TestTrialServer(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]map[string]any{
		"nothing kept": {},
		"kept":         set("nats.server.persistence.enabled", true),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := render(t, merge(values(t, "trial"), v))
			if err != nil {
				t.Fatal(err)
			}
			config := find[*core.ConfigMap](t, r, "pos-pos-bridge-nats")
			path := filepath.Join(t.TempDir(), "nats.conf")
			if err := os.WriteFile(path, []byte(config.Data["nats.conf"]), 0o600); err != nil {
				t.Fatal(err)
			}
			o, err := server.ProcessConfigFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !o.JetStream || !o.SyncAlways || o.JetStreamMaxStore != 1<<30 {
				t.Errorf("JetStream %v, sync always %v, %d bytes of files; want JetStream, sync always, 1 GiB", o.JetStream, o.SyncAlways, o.JetStreamMaxStore)
			}
			set := find[*apps.StatefulSet](t, r, "pos-pos-bridge-nats")
			c := set.Spec.Template.Spec.Containers[0]
			var ports []int
			for _, p := range c.Ports {
				ports = append(ports, int(p.ContainerPort))
			}
			if want := []int{o.Port, o.HTTPPort}; !slices.Equal(ports, want) {
				t.Errorf("the container has the ports %v, the server listens on %v", ports, want)
			}
			if !slices.ContainsFunc(c.VolumeMounts, func(m core.VolumeMount) bool { return m.MountPath == o.StoreDir }) {
				t.Errorf("nothing is mounted at %s", o.StoreDir)
			}
			if kept := len(set.Spec.VolumeClaimTemplates) == 1; kept != (name == "kept") {
				t.Errorf("a volume claim: %v", kept)
			}
		})
	}
}
