package bridge

import (
	"context"
	"maps"
	"sync"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/schema"
)

// board is this replica's copy of all records, for looking: list and the
// console read it, and those who wait for a terminal's record are woken by it.
// It may lag; nothing is decided by it alone.
type board struct {
	mu       sync.Mutex
	records  map[string]boardEntry
	seen     uint64                            // the highest revision the watch has told
	waiting  map[string]map[chan struct{}]bool // by terminal
	syncing  map[chan struct{}]uint64          // waits for a revision
	refused  refusals                          // what came of starts that others wait for too
	onChange func(terminal string)             // called after every change, without mu
}

type boardEntry struct {
	record   bus.Record
	revision uint64
}

func newBoard() *board {
	return &board{
		records:  map[string]boardEntry{},
		waiting:  map[string]map[chan struct{}]bool{},
		syncing:  map[chan struct{}]uint64{},
		onChange: func(string) {},
	}
}

// told takes a change from the watch.
func (b *board) told(c bus.RecordChange) {
	b.wrote(c)
	b.complete(c.Revision)
}

// wrote takes a change that this replica made itself, before the watch tells
// it. A change that is older than what is known is dropped.
func (b *board) wrote(c bus.RecordChange) {
	b.mu.Lock()
	if known, ok := b.records[c.Terminal]; ok && known.revision >= c.Revision {
		b.mu.Unlock()
		return
	}
	if c.Record == nil {
		delete(b.records, c.Terminal)
	} else {
		b.records[c.Terminal] = boardEntry{*c.Record, c.Revision}
		if c.Record.Phase == bus.Refused {
			b.refused.add(c.Record.Seq, c.Record.Error)
		}
	}
	for ch := range b.waiting[c.Terminal] {
		wake(ch)
	}
	b.mu.Unlock()
	b.onChange(c.Terminal)
}

// of returns what is known of a terminal's record; ok is false when there is none.
func (b *board) of(terminal string) (record bus.Record, revision uint64, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.records[terminal]
	return e.record, e.revision, ok
}

// wake leaves a note in a channel of capacity 1; one note is enough.
func wake(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// restart forgets everything: a new watch tells it anew, and deletions that
// happened in between are not told. Until it is complete nobody's sync ends.
func (b *board) restart() {
	b.mu.Lock()
	clear(b.records)
	b.seen = 0
	b.mu.Unlock()
}

// complete notes that the watch has told everything up to a revision, even if
// the last writes left nothing to tell.
func (b *board) complete(revision uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance(revision)
}

// advance moves what was told up to a revision. b.mu is held.
func (b *board) advance(revision uint64) {
	b.seen = max(b.seen, revision)
	for ch, wanted := range b.syncing {
		if b.seen >= wanted {
			delete(b.syncing, ch)
			close(ch)
		}
	}
}

// all returns every record by terminal.
func (b *board) all() map[string]bus.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	records := make(map[string]bus.Record, len(b.records))
	for terminal, e := range maps.All(b.records) {
		records[terminal] = e.record
	}
	return records
}

// refusal is the answer of a session that was refused lately, nil when it was not.
func (b *board) refusal(seq uint64) *schema.Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refused.of(seq)
}

// refusals remembers the last refused sessions: their records are gone within
// milliseconds.
type refusals struct {
	last [64]struct {
		seq    uint64
		answer *schema.Error
	}
	next int
}

func (r *refusals) add(seq uint64, answer *schema.Error) {
	r.last[r.next].seq, r.last[r.next].answer = seq, answer
	r.next = (r.next + 1) % len(r.last)
}

func (r *refusals) of(seq uint64) *schema.Error {
	for _, l := range r.last {
		if seq != 0 && l.seq == seq {
			return l.answer
		}
	}
	return nil
}

// watch returns a channel that gets a note after every change of the terminal's
// record, and a function that ends it.
func (b *board) watch(terminal string) (changed <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting[terminal] == nil {
		b.waiting[terminal] = map[chan struct{}]bool{}
	}
	b.waiting[terminal][ch] = true
	return ch, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.waiting[terminal], ch)
		if len(b.waiting[terminal]) == 0 {
			delete(b.waiting, terminal)
		}
	}
}

// sync waits until everything up to a revision has been told.
func (b *board) sync(ctx context.Context, revision uint64) error {
	ch := make(chan struct{})
	b.mu.Lock()
	if b.seen >= revision {
		b.mu.Unlock()
		return nil
	}
	b.syncing[ch] = revision
	b.mu.Unlock()
	select {
	case <-ch:
		return nil
	case <-ctx.Done():
		b.mu.Lock()
		delete(b.syncing, ch)
		b.mu.Unlock()
		return ctx.Err()
	}
}
