package processtest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/processtest"
	"github.com/posbridge/bridge/internal/simulator"
)

// The disk under JetStream is full while statuses change. The replica says so,
// keeps what it was shown, and publishes it once there is room again, without a
// restart of its own. (nats-server gives up a stream whose disk was full until it
// is started again.)
func TestDiskFull(t *testing.T) {
	t.Parallel()
	disk := processtest.NewDisk(t, "24m")
	c := setupCrowd(t, processtest.SceneOptions{Disk: disk}, 3, "a")
	r := c.replicas[0]
	c.all(simulator.ActTap)
	c.heard("initialized")

	back := c.NATSAway()
	disk.Fill(t)
	full := time.Now()
	for _, a := range []simulator.Action{simulator.ActDecline, simulator.ActTap, simulator.ActDecline, simulator.ActTap, simulator.ActApprove} {
		c.all(a)
	}
	var reasons string
	processtest.Until(t, 15*time.Second, "the replica is not ready", func() bool {
		status, body, err := r.Get("/readyz")
		reasons = body
		return err == nil && status == 503
	})
	t.Logf("not ready %s after the disk was full: %s", time.Since(full).Round(time.Millisecond), strings.TrimSpace(reasons))
	if !strings.Contains(reasons, "JetStream takes no writes") {
		t.Errorf("the reasons do not tell: %s", reasons)
	}
	if r.Metric(t, "pos_bridge_ready", "") != 0 {
		t.Error("pos_bridge_ready is not 0")
	}
	if !strings.Contains(r.Output(), `"level":"error"`) {
		t.Error("no error was logged")
	}

	disk.Free(t)
	c.NATS[0].Kill()
	c.NATS[0].Restart(t)
	back()
	for i, order := range c.orders {
		if _, err := c.Auditor.WaitStored(c.ctx, c.Terminals[i], order, "completed"); err != nil {
			t.Fatal(err)
		}
	}
	r.WaitReady(t)
	c.Close(t)
}
