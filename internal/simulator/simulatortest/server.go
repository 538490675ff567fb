// Package simulatortest starts a simulator for a test and ends it in the right
// order.
package simulatortest

import (
	"net/http/httptest"
	"testing"

	"github.com/posbridge/bridge/internal/simulator"
)

// Server is a simulator that listens on a loopback port.
type Server struct {
	*simulator.Simulator
	// URL of the server, without a path.
	URL string
	// APIURL is what BRIDGE_API_URL takes.
	APIURL string
}

// Start runs a simulator until the test ends. Without a Pace it runs a hundred
// times faster than life.
func Start(tb testing.TB, o simulator.Options) *Server {
	tb.Helper()
	if o.Pace == 0 {
		o.Pace = 100
	}
	sim, err := simulator.New(o)
	if err != nil {
		tb.Fatalf("start simulator: %v", err)
	}
	server := httptest.NewServer(sim.Handler())
	tb.Cleanup(func() {
		sim.Close() // first, for an open event stream would keep the server from closing
		server.Close()
	})
	return &Server{Simulator: sim, URL: server.URL, APIURL: server.URL + "/v1/json"}
}
