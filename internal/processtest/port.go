package processtest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// The range of fixed ports. It lies below the ports that systems give to
// outgoing connections: one of those could take a server's port while it is down.
const (
	firstPort = 20_000
	lastPort  = 32_000
)

// given holds the ports that were given to servers of this process: one that is
// down now wants its port back.
var given sync.Map

// Port finds a port of loopback that nobody listens on now. It is for servers
// that come back at the same address.
func Port(tb testing.TB) int {
	tb.Helper()
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if _, taken := given.LoadOrStore(port, true); taken {
			continue
		}
		l, err := net.Listen("tcp", address(port))
		if err != nil {
			continue
		}
		_ = l.Close() // nothing was accepted
		return port
	}
	tb.Fatal("find a free port: 100 were taken")
	return 0
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
