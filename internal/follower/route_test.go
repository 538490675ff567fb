package follower

import (
	"context"
	"errors"
	"testing"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/schema"
)

func logOwnedBy(owner string, phase payment.ClaimPhase, statuses ...schema.StatusEvent) payment.Log {
	l := payment.Log{Last: 5, Claim: &payment.Claim{Owner: owner, Epoch: 1, Phase: phase, QueueSeq: 3}}
	for _, e := range statuses {
		l.Statuses = append(l.Statuses, payment.Status{Event: e, Epoch: 1})
	}
	return l
}

// A cancel is brought to the owner, wherever it is, until somebody has answered.
func TestRouteOfACancel(t *testing.T) {
	t.Parallel()
	final := schema.StatusEvent{Status: "completed", Final: true, Sequence: 1}
	cancelled := func(string) (string, error) { return `{"status":"cancelled"}`, nil }
	for name, tt := range map[string]struct {
		logs   []payment.Log // the last one stays
		locked bool
		status string
		code   schema.Code
		asks   int
	}{
		"the owner answers":       {logs: []payment.Log{logOwnedBy("other", payment.ClaimOpen)}, status: "cancelled", asks: 1},
		"the order is over":       {logs: []payment.Log{logOwnedBy("other", payment.ClaimOpen, final)}, status: "completed"},
		"nothing is known":        {logs: []payment.Log{{}}, code: schema.NotFound},
		"the session was refused": {logs: []payment.Log{logOwnedBy("other", payment.ClaimClosed)}, code: schema.NotFound},
		"it is not claimed yet":   {logs: []payment.Log{{}, {}, logOwnedBy("other", payment.ClaimCreating)}, locked: true, status: "cancelled", asks: 1},
		"it ends while it moves":  {logs: []payment.Log{logOwnedBy("gone", payment.ClaimOpen), logOwnedBy("gone", payment.ClaimOpen, final)}, status: "completed", asks: 1},
		"another replica has it now": {
			logs: []payment.Log{logOwnedBy("gone", payment.ClaimOpen), logOwnedBy("other", payment.ClaimOpen)}, status: "cancelled", asks: 2,
		},
		"the owner hands it over": {
			logs: []payment.Log{logOwnedBy("leaving", payment.ClaimOpen), logOwnedBy("other", payment.ClaimOpen)}, status: "cancelled", asks: 2,
		},
		"the answer of the owner is lost": {
			logs: []payment.Log{logOwnedBy("silent", payment.ClaimOpen), logOwnedBy("other", payment.ClaimOpen)}, status: "cancelled", asks: 2,
		},
		"the provider refuses": {logs: []payment.Log{logOwnedBy("refusing", payment.ClaimOpen)}, code: schema.ProviderRejected, asks: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asks, reads := 0, 0
			b := &fakeBus{
				ask: func(id string) (string, error) {
					asks++
					switch id {
					case "gone":
						return "", bus.ErrNoResponders
					case "leaving":
						return `{"elsewhere":true}`, nil
					case "silent":
						return "", context.DeadlineExceeded
					case "refusing":
						return `{"failure":{"code":"provider_rejected","message":"no"}}`, nil
					}
					return cancelled(id)
				},
				log: func(string) (payment.Log, error) {
					l := tt.logs[min(reads, len(tt.logs)-1)]
					reads++
					return l, nil
				},
				queued: func(string) (bus.Delivery, error) {
					if !tt.locked {
						return bus.Delivery{}, bus.ErrNotFound
					}
					return bus.Delivery{Seq: 3}, nil
				},
			}
			f := fakeFollower(t, b)
			status, failure := f.Cancel(t.Context(), "T1", "A")
			switch {
			case tt.code != "" && (failure == nil || failure.Code != tt.code):
				t.Errorf("got %v, want %s", failure, tt.code)
			case tt.code == "" && (failure != nil || status != tt.status):
				t.Errorf("got %q, %v, want %q", status, failure, tt.status)
			}
			if asks != tt.asks {
				t.Errorf("%d replicas were asked, want %d", asks, tt.asks)
			}
		})
	}
}

// When nobody answers in time the outcome is unknown, whatever keeps it.
func TestRouteThatLeadsNowhere(t *testing.T) {
	t.Parallel()
	for name, log := range map[string]func(string) (payment.Log, error){
		"the owner has gone":   func(string) (payment.Log, error) { return logOwnedBy("gone", payment.ClaimOpen), nil },
		"the log is not there": func(string) (payment.Log, error) { return payment.Log{}, errors.New("down") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := fakeFollower(t, &fakeBus{log: log, ask: func(string) (string, error) { return "", bus.ErrNoResponders }})
			ctx, cancel := context.WithTimeout(t.Context(), 3*routePause)
			defer cancel()
			if _, failure := f.Cancel(ctx, "T1", "A"); failure == nil || failure.Code != schema.OutcomeUnknown {
				t.Errorf("got %v", failure)
			}
		})
	}
}

// The news of an order come from its owner.
func TestNews(t *testing.T) {
	t.Parallel()
	f := fakeFollower(t, &fakeBus{ask: func(id string) (string, error) {
		if id == "other" {
			return `{"transaction_id":"42","financial_status":"completed"}`, nil
		}
		return `{"elsewhere":true}`, nil
	}})
	ref := Ref{Terminal: "T1", Order: "A"}
	if transaction, financial, ok := f.News(t.Context(), ref, "other"); !ok || transaction != "42" || financial != "completed" {
		t.Errorf("got %q, %q, %v", transaction, financial, ok)
	}
	for _, owner := range []string{"me", "leaving"} {
		if _, _, ok := f.News(t.Context(), ref, owner); ok {
			t.Errorf("%s does not follow it, and has news", owner)
		}
	}
	following(f, ref)
	if _, _, ok := f.News(t.Context(), ref, "me"); !ok {
		t.Error("this replica follows it, and has no news")
	}
}
