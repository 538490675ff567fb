package processtest

import (
	"strings"
	"sync"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// Wire is a TCP connection between a client and a server that can be broken.
// Every kind of break ends with Mend, which puts a fresh proxy in the place of
// the broken one: toxics that are taken back one by one can block for long.
type Wire struct {
	// Address that the client connects to.
	Address string

	tb       testing.TB
	upstream string
	server   *toxiproxy.ApiServer

	mu    sync.Mutex
	proxy *toxiproxy.Proxy
}

// NewWire puts a wire in front of a server's address.
func NewWire(tb testing.TB, upstream string) *Wire {
	tb.Helper()
	w := &Wire{
		tb: tb, upstream: upstream, Address: address(Port(tb)),
		server: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()),
	}
	w.Mend()
	tb.Cleanup(w.Cut)
	return w
}

// Mend lets connections be made and bytes pass. What was connected through a
// broken wire is cut.
func (w *Wire) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.proxy != nil {
		w.proxy.Stop()
	}
	w.proxy = toxiproxy.NewProxy(w.server, w.Address, w.Address, w.upstream)
	if err := w.proxy.Start(); err != nil {
		w.tb.Errorf("mend wire to %s: %v", w.upstream, err)
	}
}

// Cut closes every connection and refuses new ones.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.proxy.Stop()
}

// HalfOpen swallows every byte in both directions and closes nothing: neither
// side is told that the other is gone. New connections are accepted, and get no
// answer.
func (w *Wire) HalfOpen() { w.swallow("upstream", "downstream") }

// Deaf swallows what the server sends; what the client sends arrives.
func (w *Wire) Deaf() { w.swallow("downstream") }

func (w *Wire) swallow(directions ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, direction := range directions {
		toxic := `{"type":"timeout","stream":"` + direction + `","attributes":{"timeout":0}}`
		if _, err := w.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			w.tb.Errorf("break wire to %s: %v", w.upstream, err)
		}
	}
}
