package simulator

import (
	"fmt"

	"github.com/posbridge/bridge/internal/simulator/tokens"
)

// Simulator is the provider and its terminals. Make one with New; all methods
// may be called from any goroutine. What can be seen and done is its Operator's, and
// its Loader's.
type Simulator struct {
	*Operator
	*Loader

	opts   Options
	state  *State
	tokens *tokens.Signer
}

// New returns a simulator with every terminal idle. It starts nothing; what it
// starts later, Close ends.
func New(o Options) (*Simulator, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("check simulator options: %w", err)
	}
	state := newState(Settings{
		Groups: o.Groups, Pace: o.Pace, Manual: o.Manual, InactivityTimeout: o.InactivityTimeout, StreamGrace: o.StreamGrace,
		History: o.History, LogSize: o.LogSize, Now: o.Now, Logger: o.Logger,
	})
	s := &Simulator{
		Operator: newOperator(state, o.Guide), Loader: newLoader(state),
		opts: o, state: state, tokens: tokens.New(state.now),
	}
	state.Watch(newWebhooks(state, o.WebhooksAnywhere, o.WebhookRetry).send)
	state.Watch(state.giveLaterStatus)
	if o.StateFile != "" {
		if err := openState(state, s.tokens, o.StateFile); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// Close ends streams, timers and webhooks and waits for them. Requests that
// come later are answered with 503. It may be called more than once.
func (s *Simulator) Close() { s.state.Close() }
