package console_test

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/posbridge/bridge/internal/console"
)

// gate is a console that can be shut: connections break, and new ones are refused.
type gate struct {
	t      *testing.T
	source console.Source
	addr   string
	url    string

	stop func()
}

func newGate(t *testing.T, source console.Source) *gate {
	g := &gate{t: t, source: source, addr: "127.0.0.1:0"}
	g.open()
	t.Cleanup(func() { g.stop() })
	return g
}

// open serves, at the same address as before.
func (g *gate) open() {
	g.t.Helper()
	listener, err := net.Listen("tcp", g.addr)
	if err != nil {
		g.t.Fatal(err)
	}
	g.addr = listener.Addr().String()
	g.url = "http://" + g.addr
	c := console.New(console.Options{Source: g.source})
	server := &http.Server{Handler: c}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	g.stop = sync.OnceFunc(func() {
		_ = server.Close()
		c.Close()
		serving.Wait()
	})
}

// shut breaks everything.
func (g *gate) shut() { g.stop() }

// name is a terminal of the crowd.
func (f *fake) name(i int) string { return fmt.Sprintf("T%05d", i) }
