package processtest

import (
	"net"
	"strconv"
	"testing"

	"github.com/posbridge/bridge/internal/natsserver/natstest"
)

// Port finds a port of loopback that nobody listens on now. It is for servers
// that come back at the same address.
func Port(tb testing.TB) int {
	tb.Helper()
	return natstest.Port(tb)
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
