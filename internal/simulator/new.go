package simulator

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/posbridge/bridge/internal/simulator/alarm"
	"github.com/posbridge/bridge/internal/simulator/journal"
	"github.com/posbridge/bridge/internal/simulator/tokens"
)

// New returns a simulator with every terminal idle. It starts nothing; what it
// starts later, Close ends.
func New(o Options) (*Simulator, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("check simulator options: %w", err)
	}
	s := &Simulator{opts: o, logger: o.Logger, run: randomID(12), listeners: map[listener]*order{}}
	s.tokens = tokens.New(s.now)
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.alarms = alarm.NewSet(&s.mu, &s.background)
	s.journal = journal.New(s.now, o.Logger, o.LogSize)
	s.watchers = append(s.watchers, newWebhooks(s).send, s.giveLaterStatus)
	s.clear()
	if o.StateFile != "" {
		if err := openState(s, o.StateFile); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// Handler serves the order API under /v1/json/, the event stream at
// /events/stream/, the control API under /simulator/, and the virtual
// terminal, a page, at /.
func (s *Simulator) Handler() http.Handler {
	routes := s.routes()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.enter() {
			http.Error(w, ErrClosed.Error(), http.StatusServiceUnavailable)
			return
		}
		defer s.background.Done()
		routes.ServeHTTP(w, r)
	})
}

// routes returns the whole simulator as one handler. The order API is routed by
// the path as it was sent, for an order id may hold an escaped slash or a dot.
func (s *Simulator) routes() http.Handler {
	hands := control{s}.routes()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.EscapedPath()
		isAPI := strings.HasPrefix(path, apiPath)
		isStream := path == eventsPath || path+"/" == eventsPath
		if (isAPI || isStream) && s.whileAway(w) {
			return
		}
		switch {
		case isAPI:
			api{s}.serve(w, r, strings.TrimPrefix(path, apiPath))
		case isStream:
			streams{s}.serve(w, r)
		default:
			hands.ServeHTTP(w, r)
		}
	})
}
