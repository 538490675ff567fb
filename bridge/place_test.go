package bridge

import (
	"testing"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/bus/bustest"
	"github.com/posbridge/bridge/schema"
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
				own := held{record: bus.Record{Seq: 7, Order: "o", Epoch: 1, Replica: "a"}, revision: 4}
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

// A record that still tells the lost place in the queue is this session's own,
// for whoever reads it from the bucket too.
func TestLostPlaceIsStillClaimed(t *testing.T) {
	t.Parallel()
	alone(t, &quietProvider{follow: silence}, func(r *Replica, _ *bustest.Memory) {
		s := newSession(r, bus.Delivery{Session: bus.Session{Request: oneEuro, Nonce: "n"}, Seq: 7})
		own, err := r.claimRecord(r.work, "T", held{record: bus.Record{Seq: 7, Order: "o", Epoch: 1, Replica: "a"}})
		if err != nil {
			t.Fatal(err)
		}
		s.held = own
		s.move(1000)
		s.look()
		if err := s.stillClaimed(r.work, s.held); err != nil {
			t.Errorf("verify: %v", err)
		}
		r.leaveNote(r.work, schema.OrderRequest{OrderID: "o", TerminalID: "T"}) // a cancel
		if _, err := r.changeRecord(r.work, "T", s.held, func(*bus.Record) {}); err != nil {
			t.Errorf("the record cannot be written with the new place after a cancel's note: %v", err)
		}
	})
}

// Three claims: what the second one's follower published comes after all that
// the first one's was shown, whoever has the session now.
func TestTooLateWithThreeClaims(t *testing.T) {
	t.Parallel()
	s := &session{seq: 7}
	s.held = held{record: bus.Record{Seq: 7, Epoch: 2, Replica: "a"}}
	f := &follower{session: s}
	there := held{record: bus.Record{Seq: 7, Epoch: 4, Replica: "c"}}
	if !f.tooLate(there, []bus.Status{{Replica: "b", Epoch: 3}}) {
		t.Error("b has published under a later claim: a would publish behind it what it was shown before")
	}
	if f.tooLate(there, []bus.Status{{Replica: "z", Epoch: 1}}) {
		t.Error("z had the session before a")
	}
}
