package bridge

import (
	"testing"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/bus/bustest"
)

// The queue was lost and made again under a session. What still tells the old
// place is the session's own: a write that comes back, and what the board tells.
func TestNewPlaceInTheQueue(t *testing.T) {
	t.Parallel()
	for name, meet := range map[string]func(*Replica, *session, held){
		"a write comes back": func(_ *Replica, s *session, own held) { s.hold(own) },
		"the board tells": func(r *Replica, s *session, own held) {
			r.board.wrote(bus.RecordChange{Terminal: "T", Revision: own.revision, Record: &own.record})
			s.look()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alone(t, &quietProvider{follow: silence}, func(r *Replica, _ *bustest.Memory) {
				s := newSession(r, bus.Delivery{Session: bus.Session{Request: oneEuro, Nonce: "n"}, Seq: 7})
				own := held{bus.Record{Seq: 7, Order: "o", Epoch: 1, Replica: "a"}, 4}
				s.held = own
				s.held.revision = 3
				s.move(1000)
				s.look()
				meet(r, s, own)
				if s.leaving != nil || s.held.record.Seq != 1000 || s.held.revision != 4 || !s.unwritten.Load() {
					t.Errorf("leaving %v, held %+v", s.leaving, s.held)
				}
			})
		})
	}
}
