package processtest_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/posbridge/bridge/internal/processtest"
	"github.com/posbridge/bridge/internal/simulator"
)

// The disk under JetStream is full while statuses change. The replica says so,
// keeps what it saw, and publishes it once there is room again, without a restart
// of its own. (nats-server gives up a stream whose disk was full until it is
// started again.)
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := mountDisk(t, "24m")
	c := setupCrowd(t, processtest.SceneOptions{Dir: dir}, 3, "a")
	r := c.replicas[0]
	c.all(simulator.ActTap)
	c.heard("initialized")

	back := c.NATSAway()
	filler := fillDisk(t, dir)
	for _, a := range []simulator.Action{simulator.ActDecline, simulator.ActTap, simulator.ActDecline, simulator.ActTap, simulator.ActApprove} {
		c.all(a)
	}
	var reasons string
	processtest.Until(t, exitLimit, "the replica is not ready", func() bool {
		status, body, err := r.Get("/readyz")
		reasons = body
		return err == nil && status == 503
	})
	if !strings.Contains(reasons, "JetStream stores no messages") {
		t.Errorf("the reasons do not tell: %s", reasons)
	}
	if r.Metric(t, "pos_bridge_ready", "") != 0 {
		t.Error("pos_bridge_ready is not 0")
	}
	if !strings.Contains(r.Output(), `"level":"error"`) {
		t.Error("no error was logged")
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	c.NATS[0].Kill()
	c.NATS[0].Restart(t)
	back()
	for i, order := range c.orders {
		if err := c.Auditor.WaitStored(c.ctx, c.Terminals[i], order, "completed"); err != nil {
			t.Fatal(err)
		}
	}
	r.WaitReady(t)
	c.Close(t)
}

// mountDisk mounts a file system of so many bytes for the time of the test, which
// needs the right to mount.
func mountDisk(t *testing.T, size string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("it takes the right to mount a file system (run as root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

// fillDisk leaves no byte free.
func fillDisk(t *testing.T, dir string) (filler string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, block := range [][]byte{make([]byte, 64<<10), make([]byte, 1)} {
		for err = nil; err == nil; {
			_, err = f.Write(block)
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("fill the disk: %v", err)
	}
	return f.Name()
}
