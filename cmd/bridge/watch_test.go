package main

import (
	"os"
	"strings"
	"testing"

	"github.com/posbridge/bridge/internal/till/tilltest"
)

func TestWatchUntilInterrupted(t *testing.T) {
	t.Parallel()
	bridge, environment := busOf(t, tilltest.Handlers{})
	bridge.Store(tilltest.Event("T1", "past", 1, "completed"), tilltest.Event("T2", "past", 1, "completed"))
	cmd, out, errout := process(t, environment, "watch", "--terminal", "T1", "--since", "1h", "--json")
	errout.Await(t, "watching terminal T1")
	out.Await(t, "past")
	bridge.Store(tilltest.Event("T2", "live", 1, "completed"), tilltest.Event("T1", "live", 1, "completed"))
	out.Await(t, "live")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	ends(t, cmd, exitOK)
	if got := strings.Count(out.String(), "\n"); got != 2 || strings.Contains(out.String(), `"terminal_id":"T2"`) {
		t.Errorf("got %d lines, want 2 of T1:\n%s", got, out)
	}
}
