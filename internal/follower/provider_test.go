package follower

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/internal/telemetry"
)

// fakeProvider is a provider of functions.
type fakeProvider struct {
	Provider
	get func() (multisafepay.OrderState, error)
}

func (p fakeProvider) Get(context.Context, redact.Secret, string) (multisafepay.OrderState, error) {
	return p.get()
}

// A question that failed is sent again. Its answer tells of the call that was answered:
// what came before that call does not make it old, what came after it does.
func TestAnswerTellsWhenItsCallWasSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var a actor
		a.become(payment.Payment{})
		event := func() {
			p := a.payment
			p.Question.Moment.News++
			a.become(p)
		}
		calls := 0
		provider := fakeProvider{get: func() (multisafepay.OrderState, error) {
			defer event()
			if calls++; calls < 3 {
				return multisafepay.OrderState{}, errors.New("no answer")
			}
			return multisafepay.OrderState{Status: "initialized"}, nil
		}}
		f := New(Options{
			Rules:        payment.Rules{ReplicaTTL: time.Minute, BackoffInitial: time.Second, BackoffMax: time.Second},
			ProviderRate: 20, Bus: &fakeBus{}, Provider: provider, Groups: oneGroup{redact.NewSecret("key")},
			Metrics: telemetry.NewMetrics("", "", ""), Log: zap.NewNop(),
		})
		start := time.Now()
		answer, ok := f.provider.ask(t.Context(), question{moment: &a.moment}).(payment.Answered)
		f.stop()
		f.wg.Wait()
		if want := (payment.Moment{News: 2}); !ok || answer.Asked != want {
			t.Errorf("got %+v, want it to have been asked at %+v", answer, want)
		}
		if waited := answer.SentAt.Sub(start); waited < time.Second || !answer.SentAt.Equal(time.Now()) {
			t.Errorf("sent after %v, want the time of the last call", waited)
		}
	})
}
