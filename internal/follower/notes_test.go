package follower

import (
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/telemetry"
)

// A create that failed is logged once, with what the provider said.
func TestOneLinePerFailedCreate(t *testing.T) {
	t.Parallel()
	const again, refused, created = "Could not create an order", "Refused a start", "Created an order"
	for name, tt := range map[string]struct {
		fault  simulator.Fault
		want   []string
		reason string
	}{
		"no usable answer": {simulator.Fault{Status: 500, Count: 2}, []string{again, again, created}, "HTTP 500"},
		"wait":             {simulator.Fault{Status: 429, RetryAfter: "1"}, []string{again, created}, "HTTP 429"},
		"refused":          {simulator.Fault{Status: 422, ErrorCode: 1001}, []string{refused}, "HTTP 422"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, simulator.Options{Manual: true})
			core, logs := observer.New(zapcore.InfoLevel)
			s.log = zap.New(core)
			tt.fault.Name, tt.fault.Operation = simulator.FaultFailAPI, "create"
			if _, err := s.sim.SetFault(tt.fault); err != nil {
				t.Fatal(err)
			}
			r := s.replica()
			_, failure := s.reply(s.start(r.bus, "SIM00001", "L-1"))
			if want := slices.Contains(tt.want, refused); (failure != nil) != want {
				t.Fatalf("got %v", failure)
			}
			var got []string
			for _, line := range logs.All() {
				fields := line.ContextMap()
				if line.Message == "Removed a session from the queue" {
					continue
				}
				got = append(got, line.Message)
				if reason, _ := fields[telemetry.KeyReason].(string); line.Message != created && !strings.Contains(reason, tt.reason) {
					t.Errorf("%s: got reason %q, want %s in it", line.Message, reason, tt.reason)
				}
				if fields[telemetry.KeyTerminal] != "SIM00001" || fields[telemetry.KeyOrder] != "L-1" {
					t.Errorf("%s: got %v", line.Message, fields)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
