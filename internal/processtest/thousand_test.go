package processtest_test

import (
	"sync"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/processtest"
	"github.com/posbridge/bridge/internal/simulator"
)

// A thousand payments are open at once in one replica, and each is finished.
func TestThousandSessions(t *testing.T) {
	t.Parallel()
	sessions := processtest.Count(t, "BRIDGE_SESSIONS", 1000, 1000)
	s := processtest.NewScene(t, processtest.SceneOptions{
		Terminals: sessions, Provider: simulator.Options{Manual: true, InactivityTimeout: time.Hour},
		Env: processtest.Env{
			"LOG_LEVEL": "info", "REPLICA_TTL": "10s", "REQUEST_TIMEOUT": "10s", "IDLE_TIMEOUT": "45s", "RECONCILE_INTERVAL": "15s",
		},
	})
	r := s.Serve(t, "a")
	ctx := processtest.Context(t)
	measure := func() (goroutines, memory float64) {
		return r.Metric(t, "go_goroutines", ""), r.Metric(t, "process_resident_memory_bytes", "")
	}
	goroutinesBefore, memoryBefore := measure()

	began := time.Now()
	var tills sync.WaitGroup
	waiting := make(chan string)
	for range 64 {
		tills.Go(func() {
			for terminal := range waiting {
				reply, _, err := processtest.Insist(ctx, s.Conn, "pos.payment.start", processtest.NewStart(terminal, "order-of-"+terminal, ""))
				if err != nil || reply.Error != nil {
					t.Errorf("start on %s: %+v, %v", terminal, reply, err)
				}
			}
		})
	}
	for _, terminal := range s.Terminals {
		waiting <- terminal
	}
	close(waiting)
	tills.Wait()
	if t.Failed() {
		return
	}
	started := time.Since(began)
	processtest.Until(t, time.Minute, "all streams are connected", func() bool {
		return r.Metric(t, "pos_bridge_streams_connected", "") == float64(sessions)
	})
	if got := r.Metric(t, "pos_bridge_sessions_active", ""); got != float64(sessions) {
		t.Errorf("sessions_active is %v, want %d", got, sessions)
	}
	goroutines, memory := measure()
	n := float64(sessions)
	t.Logf("%d sessions started in %s: %.1f goroutines and %.1f KiB resident each (%.0f goroutines and %.1f MiB before)", sessions,
		started.Round(time.Millisecond), (goroutines-goroutinesBefore)/n, (memory-memoryBefore)/n/1024, goroutinesBefore, memoryBefore/1024/1024)

	began = time.Now()
	for _, terminal := range s.Terminals {
		if _, err := s.Provider.Act(terminal, simulator.ActApprove); err != nil {
			t.Fatal(err)
		}
	}
	for _, terminal := range s.Terminals {
		if _, err := s.Auditor.WaitHeard(ctx, "order-of-"+terminal, "completed"); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("all finished in %s", time.Since(began).Round(time.Millisecond))
	report := s.Close(t)
	if report.Orders != sessions {
		t.Errorf("%d orders at the provider, want %d", report.Orders, sessions)
	}
	processtest.Until(t, time.Minute, "no session is active", func() bool { return r.Metric(t, "pos_bridge_sessions_active", "") == 0 })
	// Connections to the provider's API are kept for a minute; a session that left
	// a goroutine behind would make a thousand of them.
	few := processtest.Eventually(20*time.Second, func() bool {
		goroutines, memory = measure()
		return goroutines < goroutinesBefore+0.5*n
	})
	if !few {
		t.Errorf("%.0f goroutines are left of %d sessions, there were %.0f before", goroutines, sessions, goroutinesBefore)
	}
	t.Logf("at rest: %.0f goroutines, %.1f MiB resident", goroutines, memory/1024/1024)
}
