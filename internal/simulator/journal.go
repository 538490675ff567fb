package simulator

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"
)

// Kind says what an Entry is about.
type Kind string

// The kinds of journal entries.
const (
	KindOrder    Kind = "order"    // an order was made
	KindStatus   Kind = "status"   // an order changed
	KindTerminal Kind = "terminal" // a terminal's screen or settings changed
	KindCall     Kind = "call"     // an API call was answered
	KindStream   Kind = "stream"   // an event stream was opened, refused or ended
	KindSent     Kind = "sent"     // bytes of an event went out on a stream
	KindFault    Kind = "fault"    // a fault was set, happened or was taken back
	KindWebhook  Kind = "webhook"  // a notification was sent or given up
	KindTrap     Kind = "trap"     // somebody followed a redirect to where no client should go
	KindReset    Kind = "reset"    // everything was forgotten
)

// Entry is one line of the journal. It holds no API key and no events token.
type Entry struct {
	// Seq counts 1, 2, 3… since New.
	Seq      uint64    `json:"seq"`
	At       time.Time `json:"at"`
	Kind     Kind      `json:"kind"`
	Terminal string    `json:"terminal_id,omitempty"`
	Order    string    `json:"order_id,omitempty"`
	// Text says it to people, in one line.
	Text string `json:"text"`
	// Operation of a KindCall.
	Operation Operation `json:"operation,omitempty"`
	// HTTPStatus of a KindCall, a KindWebhook or a refused KindStream.
	HTTPStatus int `json:"http_status,omitempty"`
	// Status of a KindStatus.
	Status string `json:"status,omitempty"`
	// Raw is what a KindSent put on the stream, cut after 2 KiB, tokens removed.
	Raw string `json:"raw,omitempty"`
}

// journal is a ring of the latest entries.
type journal struct {
	ring []Entry
	size int
	last uint64 // Seq of the latest entry
}

func newJournal(size int) journal { return journal{size: size} }

func (j *journal) add(e Entry) Entry {
	j.last++
	e.Seq = j.last
	if len(j.ring) < j.size {
		j.ring = append(j.ring, e)
	} else {
		j.ring[(e.Seq-1)%uint64(j.size)] = e
	}
	return e
}

// first is the Seq of the oldest entry that is still there.
func (j *journal) first() uint64 { return j.last - uint64(len(j.ring)) + 1 }

// since returns at most limit entries after seq, oldest first, and whether some
// of them are no longer there.
func (j *journal) since(seq uint64, limit int) (entries []Entry, missed bool) {
	if seq > j.last {
		seq = j.last
	}
	from := seq + 1
	if from < j.first() {
		from, missed = j.first(), true
	}
	for n := from; n <= j.last && len(entries) < limit; n++ {
		entries = append(entries, j.ring[(n-1)%uint64(j.size)])
	}
	return entries, missed
}

// note writes e to the journal and wakes whoever waits for a change. The caller
// holds mu.
func (s *Simulator) note(e Entry) {
	e.At = s.now()
	e = s.journal.add(e)
	s.logger.Debug(e.Text,
		zap.String("kind", string(e.Kind)),
		zap.String("terminal", e.Terminal),
		zap.String("order_id", e.Order))
	s.wakeWaiters()
}

// wakeWaiters lets everybody look again. The caller holds mu.
func (s *Simulator) wakeWaiters() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// nextChange returns a channel that is closed at the next journal entry. The
// caller holds mu.
func (s *Simulator) nextChange() <-chan struct{} {
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

// until waits until ok, which runs with mu held, says true. The error says that
// ctx ended first, or that the simulator was closed.
func (s *Simulator) until(ctx context.Context, what string, ok func() bool) error {
	for {
		s.mu.Lock()
		if ok() {
			s.mu.Unlock()
			return nil
		}
		if s.closed {
			s.mu.Unlock()
			return fmt.Errorf("wait for %s: %w", what, ErrClosed)
		}
		changed := s.nextChange()
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, context.Cause(ctx))
		}
	}
}

// Log returns at most limit entries after seq, oldest first. missed says that
// entries in between are no longer there.
func (s *Simulator) Log(seq uint64, limit int) (entries []Entry, missed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journal.since(seq, limit)
}
