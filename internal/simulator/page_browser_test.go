package simulator_test

import (
	"slices"
	"testing"

	"github.com/posbridge/bridge/internal/simulator"
)

// A payment by clicks, soft decline included, while a client plays the bridge.
func TestPagePaymentByClicks(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Pace: 1})
	p := browse(t, b, wall, false)
	p.screen("SIM00001", simulator.ScreenIdle)
	p.click(`#terminal-SIM00001 .mode input[value="manual"]`)
	p.sees(`#terminal-SIM00001[data-mode="manual"]`)
	stream := b.open(b.create("order-1", "SIM00001", fields{"amount": 4250, "description": "Two lunches"}))
	p.screen("SIM00001", simulator.ScreenAmountDue)
	p.act("SIM00001", simulator.ActTap)
	p.screen("SIM00001", simulator.ScreenProcessing)
	p.act("SIM00001", simulator.ActDecline)
	p.screen("SIM00001", simulator.ScreenDeclined)
	p.act("SIM00001", simulator.ActInsert)
	p.screen("SIM00001", simulator.ScreenPIN)
	for range 4 {
		p.click(`#terminal-SIM00001 [data-digit="7"]`)
	}
	b.create("order-2", "SIM00002", fields{"amount": 1800, "currency": "JPY", "custom_info": fields{"custom_1": "scenario:wait"}})
	b.create("order-3", "SIM00003", fields{"amount": 995})
	p.screen("SIM00003", simulator.ScreenApproved)
	p.picture("terminal-wall")
	p.click(`#terminal-SIM00001 [data-digit="ok"]`)
	p.act("SIM00001", simulator.ActApprove)
	p.screen("SIM00001", simulator.ScreenApproved)
	if got, want := stream.statuses(4), []string{"initialized", "declined", "initialized", "completed"}; !slices.Equal(got, want) {
		t.Errorf("statuses: got %v, want %v", got, want)
	}
	p.quiet()
}
