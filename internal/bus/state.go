package bus

import (
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// connState is what nats.go's callbacks have reported about the connection.
type connState struct {
	// conn is set when Connect is about to return; callbacks may come earlier.
	conn atomic.Pointer[nats.Conn]
	// connected is set with the first connection and stays.
	connected atomic.Bool
	// closing is set when Close is called: what the connection then reports is no
	// news.
	closing     atomic.Bool
	lastTrouble atomic.Pointer[time.Time]
	refused     atomic.Pointer[refusal]
}

// refusal is a permission error of the server. A call that timed out because of
// it would otherwise not say why.
type refusal struct {
	err error
	at  time.Time
}

func (s *connState) trouble() {
	now := time.Now()
	s.lastTrouble.Store(&now)
}

func (s *connState) refuse(err error) { s.refused.Store(&refusal{err, time.Now()}) }

// refusedWithin returns the last permission error, if it is not older than d.
func (s *connState) refusedWithin(d time.Duration) error {
	if r := s.refused.Load(); r != nil && time.Since(r.at) <= d {
		return r.err
	}
	return nil
}
