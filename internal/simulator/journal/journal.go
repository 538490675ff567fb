// Package journal keeps what happened lately, for people and waiting tests.
package journal

import (
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/simulator/calls"
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
	Operation calls.Operation `json:"operation,omitempty"`
	// HTTPStatus of a KindCall, a KindWebhook or a refused KindStream.
	HTTPStatus int `json:"http_status,omitempty"`
	// Status of a KindStatus.
	Status string `json:"status,omitempty"`
	// Raw is what a KindSent put on the stream, cut after 2 KiB, tokens removed.
	Raw string `json:"raw,omitempty"`
}

// Journal is a ring of the latest entries. The state's lock guards it.
type Journal struct {
	now     func() time.Time
	logger  *zap.Logger
	ring    []Entry
	size    int
	Last    uint64        // Seq of the latest entry
	changed chan struct{} // closed and forgotten at the next entry; nil while nobody waits
}

// New returns an empty journal of at most size entries.
func New(now func() time.Time, logger *zap.Logger, size int) Journal {
	return Journal{now: now, logger: logger, size: size}
}

// Note writes e down and wakes whoever waits for a change.
func (j *Journal) Note(e Entry) {
	j.Last++
	e.Seq, e.At = j.Last, j.now()
	if len(j.ring) < j.size {
		j.ring = append(j.ring, e)
	} else {
		j.ring[(e.Seq-1)%uint64(j.size)] = e
	}
	j.logger.Debug(e.Text,
		zap.String("kind", string(e.Kind)),
		zap.String("terminal", e.Terminal),
		zap.String("order_id", e.Order))
	j.Wake()
}

// Wake lets everybody look again.
func (j *Journal) Wake() {
	if j.changed != nil {
		close(j.changed)
		j.changed = nil
	}
}

// Next returns a channel that is closed at the next entry.
func (j *Journal) Next() <-chan struct{} {
	if j.changed == nil {
		j.changed = make(chan struct{})
	}
	return j.changed
}

// first is the Seq of the oldest entry that is still there.
func (j *Journal) first() uint64 { return j.Last - uint64(len(j.ring)) + 1 }

// Since returns at most limit entries after seq, oldest first, and whether some
// of them are no longer there.
func (j *Journal) Since(seq uint64, limit int) (entries []Entry, missed bool) {
	if seq > j.Last {
		seq = j.Last
	}
	from := seq + 1
	if from < j.first() {
		from, missed = j.first(), true
	}
	for n := from; n <= j.Last && len(entries) < limit; n++ {
		entries = append(entries, j.ring[(n-1)%uint64(j.size)])
	}
	return entries, missed
}

// Clip cuts text for an answer or a log line.
func Clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}
