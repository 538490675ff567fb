package simulator

import (
	"net/http"
	"strings"

	"github.com/posbridge/bridge/internal/simulator/api"
	"github.com/posbridge/bridge/internal/simulator/control"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/stream"
	"github.com/posbridge/bridge/internal/simulator/wire"
)

// Handler serves the order API under /v1/json/, the event stream at
// /events/stream/, the control API under /simulator/, and the virtual
// terminal, a page, at /.
func (s *Simulator) Handler() http.Handler {
	routes := s.routes()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.state.Enter() {
			http.Error(w, orders.ErrClosed.Error(), http.StatusServiceUnavailable)
			return
		}
		defer s.state.Leave()
		routes.ServeHTTP(w, r)
	})
}

// routes returns the whole simulator as one handler. The order API is routed by
// the path as it was sent, for an order id may hold an escaped slash or a dot.
func (s *Simulator) routes() http.Handler {
	hands := control.New(s.state, s.Operator, s.Loader, s.opts.Till)
	calls := api.New(s.state, s.tokens, s.opts.TokenTTL)
	events := stream.New(s.state, s.tokens, stream.Options{PresentState: s.opts.SendPresentState, Heartbeat: s.opts.Heartbeat, Linger: s.opts.Linger})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.EscapedPath()
		isAPI := strings.HasPrefix(path, wire.APIPath)
		isStream := path == wire.EventsPath || path+"/" == wire.EventsPath
		if (isAPI || isStream) && s.whileAway(w) {
			return
		}
		switch {
		case isAPI:
			calls.Serve(w, r, strings.TrimPrefix(path, wire.APIPath))
		case isStream:
			events.Serve(w, r)
		default:
			hands.ServeHTTP(w, r)
		}
	})
}

// whileAway answers for a provider that is away; false when it is not.
func (s *Simulator) whileAway(w http.ResponseWriter) bool {
	status, away := s.Away()
	switch {
	case !away:
		return false
	case status == 0:
		panic(http.ErrAbortHandler)
	}
	wire.FaultRefusal(fault.Fault{Status: status}).Send(w)
	return true
}
