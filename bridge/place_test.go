package bridge

import (
	"bytes"
	"fmt"
	"testing"
	"time"

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

// answering sees what the bus looks like when an answer goes out.
type answering struct {
	Requesters
	see func()
}

func (a answering) Reply(inbox string, header map[string]string, body []byte) error {
	a.see()
	return a.Requesters.Reply(inbox, header, body)
}

// The lock of an open payment is lost, and its follower with it. A till that starts
// another payment is told that the terminal is busy only once its own start has left
// the queue: whoever were handed that again could find the terminal free by then, and
// ring it for a till that has gone.
func TestBusyIsToldOnceTheStartIsGone(t *testing.T) {
	t.Parallel()
	alone(t, &quietProvider{follow: silence}, func(r *Replica, server *bustest.Memory) {
		record := bus.Record{Seq: 1, Order: "open", Hash: "h", Phase: bus.Open, Replica: "gone", Epoch: 1, StartedAt: r.Clock.Now()}
		if _, err := r.Records.PutRecord(r.work, "T", record, 0); err != nil {
			t.Fatal(err)
		}
		queued := make(chan string, 10) // what stands there at each answer
		r.Requesters = answering{r.Requesters, func() {
			s, _, err := r.Queue.Queued(r.work, "T")
			queued <- fmt.Sprint(s.Request.OrderID, err)
		}}
		first := oneEuro
		first.TerminalID = "U" // takes the record's place in the queue
		r.Start(r.work, first, Requester{Inbox: "u"})
		<-queued
		r.Start(r.work, oneEuro, Requester{Inbox: "i"})
		if got := <-queued; got != bus.ErrNotFound.Error() {
			t.Errorf("when the till was answered there stood in the queue: %s", got)
		}
		time.Sleep(time.Second)
		if got := server.Replies("i"); len(got) != 1 || !bytes.Contains(got[0].Body, []byte("terminal_busy")) {
			t.Errorf("answered %+v", got)
		}
		if s, _, err := r.Queue.Queued(r.work, "T"); err != nil || s.Request.OrderID != "open" {
			t.Errorf("the open payment is not queued again: %+v, %v", s.Request, err)
		}
	})
}
