package simulator

import (
	"net/http"
	"strings"

	"github.com/posbridge/bridge/internal/simulator/fault"
)

// Handler serves the order API under /v1/json/, the event stream at
// /events/stream/, the control API under /simulator/, and the virtual
// terminal, a page, at /.
func (s *Simulator) Handler() http.Handler {
	routes := s.routes()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.state.Enter() {
			http.Error(w, ErrClosed.Error(), http.StatusServiceUnavailable)
			return
		}
		defer s.state.Leave()
		routes.ServeHTTP(w, r)
	})
}

// routes returns the whole simulator as one handler. The order API is routed by
// the path as it was sent, for an order id may hold an escaped slash or a dot.
func (s *Simulator) routes() http.Handler {
	hands := control{op: s.Operator, loader: s.Loader, till: s.opts.Till}.routes()
	orders := api{s: s.state, tokens: s.tokens, tokenTTL: s.opts.TokenTTL}
	events := streams{s.state, s.tokens, streamOptions{PresentState: s.opts.SendPresentState, Heartbeat: s.opts.Heartbeat, Linger: s.opts.Linger}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.EscapedPath()
		isAPI := strings.HasPrefix(path, apiPath)
		isStream := path == eventsPath || path+"/" == eventsPath
		if (isAPI || isStream) && s.whileAway(w) {
			return
		}
		switch {
		case isAPI:
			orders.serve(w, r, strings.TrimPrefix(path, apiPath))
		case isStream:
			events.serve(w, r)
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
	refusalOf(fault.Fault{Status: status}).send(w)
	return true
}
