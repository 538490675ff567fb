package bridge_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/schema"
)

// reported is a case that users of the provider have reported, and what the till is
// told of it.
type reported struct {
	name   string
	does   simulator.Scenario // approve if empty
	faults []string
	// code is the answer to the start; empty: the payment is under way.
	code schema.Code
	// events have the amount that was charged behind them, if it is another one. An
	// "initialized" at the beginning is left out: it depends on who was quicker.
	events string
	// creates are as many as the bridge may send at most; one order is made of them.
	creates int
	// absent: no order is made.
	absent bool
	// logs is what the log says of the order that was found.
	logs string
}

// The provider makes an order, or not, and its answer does not say so. Orders are of
// 10.00 euros.
func reportedCreates() []reported {
	const find = "odd_answer:operation=get,count=-1,mode="
	return []reported{
		{
			name: "1006 to a repeated create", faults: []string{"lose_create_answer", "hide_order:delay=5s"},
			code: schema.OutcomeUnknown, events: "completed", creates: 4,
		},
		{
			name: "code 1000 with 410 says nothing", faults: []string{"lose_create_answer", "hide_order:delay=5s,error_code=1000,status=410"},
			code: schema.OutcomeUnknown, events: "completed", creates: 1,
		},
		{name: "502, made later", faults: []string{"lose_create_answer:status=502,delay=1s"}, events: "completed", creates: 5},
		{name: "522, made later", faults: []string{"lose_create_answer:status=522,delay=1s"}, events: "completed", creates: 5},
		{name: "524, never made", faults: []string{"lose_create_answer:status=524,not_made"}, events: "completed", creates: 2},
		{
			name: "1006, and nothing is there", faults: []string{"fail_api:operation=create,status=400,error_code=1006,count=-1"},
			code: schema.ProviderRejected, creates: 1, absent: true,
		},
		{name: "a proxy repeats the create", faults: []string{"repeat_call:operation=create"}, events: "completed", creates: 1},
		{
			name: "another order under our id", faults: []string{"lose_create_answer:not_made", "odd_answer:operation=get,mode=other_order"},
			events: "completed", creates: 2,
		},
		{name: "found with a tip", faults: []string{"lose_create_answer", find + "tip"}, events: "completed/1200", creates: 1, logs: "another amount"},
		{name: "found with half of it", faults: []string{"lose_create_answer", find + "partial_approval"}, events: "completed/500", creates: 1, logs: "another amount"},
		{name: "found with another spelling", faults: []string{"lose_create_answer", find + "terminal_spelling"}, events: "completed", creates: 1},
		{
			name: "site blocked", faults: []string{"fail_api:operation=create,status=404,error_code=1019,mode=list"},
			code: schema.ProviderRejected, creates: 1, absent: true,
		},
	}
}

// The payment itself takes another course than usual.
func reportedCourses() []reported {
	return []reported{
		{name: "a tip", does: simulator.ApproveWithTip, events: "completed completed/1200"},
		{name: "a partial approval", does: simulator.ApproveInPart, events: "completed completed/500"},
		{name: "two ways to end unpaid", does: "statuses:initialized,void,expired,cancelled", events: "void"},
		{name: "paid after all", does: "statuses:initialized,cancelled,void,completed", events: "cancelled completed"},
		{name: "charged back", does: "statuses:initialized,completed,chargedback", events: "completed chargedback"},
		{name: "a step-up", does: simulator.StepUpThenApprove, events: "declined initialized completed"},
		{name: "a card that is pulled early", faults: []string{"later_status:when=completed,becomes=reversed,delay=300ms"}, events: "completed reversed"},
		{name: "older names", faults: []string{"odd_answer:operation=create,mode=old_names"}, events: "completed"},
		{name: "a token that is refused for a moment", faults: []string{"refuse_stream:status=401,count=3"}, events: "completed"},
		{name: "an event without an envelope's name", faults: []string{"odd_event:mode=channel,count=-1"}, events: "completed"},
		{name: "events in arrays", faults: []string{"odd_event:mode=array,count=-1"}, events: "completed"},
		{
			name: "history on every connection", does: simulator.SoftDeclineThenApprove,
			faults: []string{"history:mode=replay,count=-1", "drop_stream:after=3"}, events: "declined initialized completed",
		},
		{
			name: "history with ids", does: simulator.SoftDeclineThenApprove,
			faults: []string{"history:mode=replay_with_ids,count=-1", "drop_stream:after=3"}, events: "declined initialized completed",
		},
	}
}

func TestReportedCreates(t *testing.T) {
	t.Parallel()
	for _, r := range some(reportedCreates()) {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			b, replica := r.setup(t, simulator.Options{Pace: 20})
			r.start(b)
			r.await(b)
			replica.logs.Await(t, r.logs)
			calls := b.sim.Calls("a")
			if made := calls.Made; made > 1 || (made == 0) != r.absent || calls.Create > r.creates {
				t.Errorf("%d creates, and %d orders were made", calls.Create, made)
			}
			b.waitFree(terminal1)
		})
	}
}

func TestReportedCourses(t *testing.T) {
	t.Parallel()
	for _, r := range some(reportedCourses()) {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			b, _ := r.setup(t, simulator.Options{Pace: 10})
			r.start(b)
			r.await(b)
			b.waitFree(terminal1)
			if got := b.sim.Calls("a").Made; got != 1 {
				t.Errorf("%d orders were made", got)
			}
		})
	}
}

func (r reported) setup(t *testing.T, o simulator.Options) (*bundle, *replica) {
	t.Helper()
	b := setup(t, options{simulator: o})
	return b, b.run(func(c *bridge.Config) {
		c.Timing.RequestTimeout, c.Timing.StartDeadline, c.Timing.SettleWindow = time.Second, 3*time.Second, 3*time.Second
		switch r.code {
		case schema.ProviderRejected:
			c.Timing.StartDeadline = patience // it takes some seconds to be certain
		case schema.OutcomeUnknown:
			c.Timing.StartDeadline = 2 * time.Second
		}
	})
}

// start asks for the payment. While its outcome is unknown the terminal is locked.
func (r reported) start(b *bundle) {
	b.t.Helper()
	does := r.does
	if does == "" {
		does = simulator.Approve
	}
	body := order("a", terminal1, scenario(does, r.faults...))
	if statuses, ok := strings.CutPrefix(string(does), "statuses:"); ok {
		body = order("a", terminal1, fields{"custom_info": fields{"custom_1": "statuses:" + statuses}})
	}
	answer := b.do("pos.payment.start", body)
	if r.code == "" {
		if got := answer.started(); !got.Created {
			b.t.Errorf("got %+v", got)
		}
		return
	}
	answer.failed(r.code)
	if r.code == schema.OutcomeUnknown {
		other := b.do("pos.payment.start", order("b", terminal1))
		if told(b.events("a")) == "" {
			other.failed(schema.TerminalBusy)
		}
	}
}

// await waits for exactly the events.
func (r reported) await(b *bundle) {
	b.t.Helper()
	got := ""
	b.wait(func() string { return fmt.Sprintf("%q, got %q", r.events, got) }, func() bool {
		got = told(b.eventsOf("a"))
		return got == r.events
	})
}

// told are events, see reported.
func told(events []schema.StatusEvent) string {
	var all []string
	for _, e := range events {
		text := e.Status
		if e.AmountCharged != 0 {
			text += fmt.Sprintf("/%d", e.AmountCharged)
		}
		if len(all) > 0 || e.Status != "initialized" {
			all = append(all, text)
		}
	}
	return strings.Join(all, " ")
}
