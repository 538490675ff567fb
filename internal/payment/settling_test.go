package payment

import (
	"slices"
	"testing"
	"time"

	"github.com/posbridge/bridge/schema"
)

// Aftercare may reach further than BRIDGE_SESSION_TIMEOUT: every time of it counts.
func TestLongAftercare(t *testing.T) {
	t.Parallel()
	ended := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	rules := &Rules{Self: "me", SessionTimeout: 30 * time.Minute, RequestTimeout: 10 * time.Second, Aftercare: []time.Duration{time.Minute, time.Hour, 12 * time.Hour}}
	p := Payment{
		Rules: rules, Phase: Settling{Over: true}, Place: Place{Gone: true},
		State: State{StatusEvent: schema.StatusEvent{Status: "cancelled", Sequence: 1, Final: true}, EndedAt: ended},
	}
	var asked []time.Duration
	at, input := ended.Add(3*time.Second), Event(Tick{})
	for PhaseOf(p) != "left" {
		var effects []Effect
		p, effects = Step(p, Input{At: at, Event: input})
		input = Tick{}
		for _, e := range effects {
			if _, asks := e.(Ask); asks {
				asked = append(asked, at.Sub(ended))
				input = Answered{Exists: true, Status: "cancelled", SentAt: at, Asked: p.Question.Moment}
			}
		}
		if _, ticks := input.(Tick); !ticks {
			continue
		}
		due := p.Due()
		if due.IsZero() {
			break
		}
		at = due
	}
	if !slices.Equal(asked, rules.Aftercare) || PhaseOf(p) != "left" {
		t.Errorf("asked after %v, now %s; want %v, left", asked, PhaseOf(p), rules.Aftercare)
	}
}

// That the provider does not know an order any more is doubted a few times after its
// end, however often it was asked before.
func TestForgottenOrder(t *testing.T) {
	t.Parallel()
	rules := testRules()
	at := epoch
	p := Payment{Rules: &rules, Session: testSession("A"), Place: Place{Gone: true}, Phase: Following{}, Question: Question{Asking: true, Polls: 20}}
	asked, input := 0, Event(Answered{Exists: true, Status: "cancelled"})
	var answer time.Time
	for asked < 50 && input != nil {
		var effects []Effect
		p, effects = Step(p, Input{At: at, Event: input})
		input = nil
		for _, e := range effects {
			switch e := e.(type) {
			case StoreStatus:
				input = Stored{Seq: 1}
			case Ask:
				asked++
				answer = at.Add(e.After)
			}
		}
		due := p.Due()
		switch {
		case input != nil:
		case !answer.IsZero() && (due.IsZero() || answer.Before(due)):
			at, input = answer, Answered{SentAt: answer, Asked: p.Question.Moment}
			answer = time.Time{}
		case !due.IsZero():
			at, input = due, Tick{}
		}
	}
	if PhaseOf(p) != "left" {
		t.Errorf("asked %d times, now %s; want left", asked, PhaseOf(p))
	}
}
