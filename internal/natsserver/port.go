package natsserver

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// The range of fixed ports. It lies below the ports that systems give to whoever does not
// care: one of those could take a server's port while it is down.
const (
	firstPort = 20_000
	lastPort  = 32_000
)

// given holds the ports that were given to servers of this process: one that is
// down now wants its port back.
var given sync.Map

// FixedPort finds a port of loopback that nobody listens on now. It is for servers
// that come back at the same address.
func FixedPort() (int, error) {
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if _, taken := given.LoadOrStore(port, true); taken {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		_ = l.Close() // nothing was accepted
		return port, nil
	}
	return 0, errors.New("find a free port: 100 were taken")
}
