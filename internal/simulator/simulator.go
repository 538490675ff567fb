package simulator

import (
	"fmt"

	"github.com/posbridge/bridge/internal/simulator/operator"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/statefile"
	"github.com/posbridge/bridge/internal/simulator/stream"
	"github.com/posbridge/bridge/internal/simulator/tokens"
	"github.com/posbridge/bridge/internal/simulator/webhook"
)

// Simulator is the provider and its terminals. Make one with New; all methods
// may be called from any goroutine. What can be seen and done is its Operator's, and
// its Loader's.
type Simulator struct {
	*operator.Operator
	*stream.Loader

	opts   Options
	state  *orders.State
	tokens *tokens.Signer
}

// New returns a simulator with every terminal idle. It starts nothing; what it
// starts later, Close ends.
func New(o Options) (*Simulator, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("check simulator options: %w", err)
	}
	state := orders.New(orders.Settings{
		Groups: o.Groups, Pace: o.Pace, Manual: o.Manual, InactivityTimeout: o.InactivityTimeout, StreamGrace: o.StreamGrace,
		History: o.History, LogSize: o.LogSize, Clock: o.Now, Logger: o.Logger,
	})
	s := &Simulator{
		Operator: operator.New(state, o.Guide), Loader: stream.NewLoader(state),
		opts: o, state: state, tokens: tokens.New(state.Now),
	}
	state.Watch(webhook.New(state, o.WebhooksAnywhere, o.WebhookRetry).Send)
	state.Watch(state.GiveLaterStatus)
	if o.StateFile != "" {
		if err := statefile.Open(state, s.tokens, o.StateFile); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// Close ends streams, timers and webhooks and waits for them. Requests that
// come later are answered with 503. It may be called more than once.
func (s *Simulator) Close() { s.state.Close() }
