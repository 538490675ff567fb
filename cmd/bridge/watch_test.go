package main

import (
	"os"
	"strings"
	"testing"

	"github.com/posbridge/bridge/internal/bridgetest"
)

func TestWatchUntilInterrupted(t *testing.T) {
	t.Parallel()
	bridge, environment := busOf(t, bridgetest.Handlers{})
	bridge.Store(bridgetest.Event("T1", "past", 1, "completed"), bridgetest.Event("T2", "past", 1, "completed"))
	cmd, out, errout := process(t, environment, "watch", "--terminal", "T1", "--since", "1h", "--json")
	errout.Await(t, "watching terminal T1")
	out.Await(t, "past")
	bridge.Store(bridgetest.Event("T2", "live", 1, "completed"), bridgetest.Event("T1", "live", 1, "completed"))
	out.Await(t, "live")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	ends(t, cmd, exitOK)
	if got := strings.Count(out.String(), "\n"); got != 2 || strings.Contains(out.String(), `"terminal_id":"T2"`) {
		t.Errorf("got %d lines, want 2 of T1:\n%s", got, out)
	}
}
