package board

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
	lru "github.com/hashicorp/golang-lru/v2"
	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/telemetry"
)

// Silence is how long after its start a payment without any status is worth a
// look of an operator.
const Silence = 90 * time.Second

// Bounds of the board.
const (
	// recent is how many orders that are over stay, whatever their age: the
	// console shows them.
	recent = 300
	// maxOver is how many orders that are over stay at most.
	maxOver = 50_000
	// maxTerminals is of how many terminals the last order is remembered.
	maxTerminals = 20_000
	// tidyEvery is how often old orders are dropped and silent ones are counted.
	tidyEvery = 10 * time.Second
)

// Feed shows all messages of the status stream, see bus.Bus.Watch.
type Feed interface {
	Watch(ctx context.Context, since time.Time, entry func(bus.Entry), ready func(seq uint64)) error
	// Now is the time by the NATS server's clock.
	Now() time.Time
}

// Options are what a board works with.
type Options struct {
	Feed Feed
	// Horizon is how long an order is remembered: longer than any payment takes,
	// and than a claim stays in the stream.
	Horizon time.Duration
	// Self is this process; the metric counts its orders alone.
	Self    string
	Metrics *telemetry.Metrics
	Log     *zap.Logger
	// Changed is called after every change of a terminal's orders, and with "" when
	// the board is complete. It must return at once.
	Changed func(terminal string)
	// Claimed is called with every claim that is stored after the board is
	// complete. It must return at once.
	Claimed func(Ref, *payment.Claim)
	// Lost is called with true when the stream has lost messages that the board had
	// shown, and with false when the board shows what is left.
	Lost func(lost bool)
}

// Board is filled by Run. Its other methods may be called from several goroutines
// at any time.
type Board struct {
	Options
	waits waits
	// complete is set once everything old was seen. It belongs to Run.
	complete bool

	mu      sync.Mutex
	entries map[Ref]*Entry
	// open are the orders that are not over, by terminal.
	open map[string][]*Entry
	// latest is the order that something last happened to, of each terminal.
	latest *lru.Cache[string, *Entry]
	// over are the orders that are over, in the order of their last status or claim.
	over []passed
}

// passed is an order that was over when its last message had a sequence.
type passed struct {
	ref Ref
	seq uint64
	at  time.Time
}

// New returns an empty board.
func New(o Options) *Board {
	latest, _ := lru.New[string, *Entry](maxTerminals) // fails only for a size that is not positive
	return &Board{
		Options: o, waits: waits{orders: map[Ref]map[chan struct{}]struct{}{}}, entries: map[Ref]*Entry{},
		open: map[string][]*Entry{}, latest: latest,
	}
}

// Run follows the status stream until ctx is over. ready is called once, when the
// board is complete for the first time.
func (b *Board) Run(ctx context.Context, ready func()) {
	var tidying sync.WaitGroup
	defer tidying.Wait()
	tidying.Go(func() { b.tidy(ctx) })
	complete, lost := sync.OnceFunc(ready), false
	pause := backoff.NewExponentialBackOff(backoff.WithMaxElapsedTime(0), backoff.WithMaxInterval(2*time.Second))
	for ctx.Err() == nil {
		err := b.Feed.Watch(ctx, b.Feed.Now().Add(-b.Horizon), b.saw, func(seq uint64) {
			b.waits.told(seq)
			b.Changed("")
			b.complete = true
			complete()
			if lost {
				lost = false
				b.Lost(false)
			}
		})
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, bus.ErrLost) {
			lost = true
			b.lost()
			continue
		}
		b.Log.Warn("The status stream cannot be read; list and the console may show old data", zap.Error(err))
		select {
		case <-time.After(pause.NextBackOff()):
		case <-ctx.Done():
		}
	}
}

// lost forgets everything: the stream has lost messages, and uses their sequences again.
func (b *Board) lost() {
	b.Log.Error("The status stream has lost acknowledged messages; the replica reads the remaining ones again")
	b.Metrics.SweepRepaired("statuses_lost")
	b.complete = false
	b.Lost(true)
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.entries)
	clear(b.open)
	b.latest.Purge()
	b.over = nil
}

// saw takes a message of the stream.
func (b *Board) saw(e bus.Entry) {
	ref := Ref{e.Terminal, e.Order}
	if b.take(ref, e) {
		b.waits.changed(ref)
		b.Changed(ref.Terminal)
		if b.complete && e.Claim != nil {
			b.Claimed(ref, e.Claim)
		}
	}
	b.waits.told(e.Seq)
}

// take reports whether the message was news.
func (b *Board) take(ref Ref, e bus.Entry) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	entry := b.entries[ref]
	switch {
	case e.Claim == nil && e.Status == nil, entry != nil && e.Seq <= entry.Seq:
		return false
	case entry == nil:
		entry = &Entry{Ref: ref}
		b.entries[ref] = entry
	}
	b.close(entry)
	entry.Seq = e.Seq
	entry.know(e.Claim, e.Status)
	// A claim on an order that was forgotten, or never seen, is about its aftercare.
	open := entry.Open() && e.At.Sub(entry.Started()) <= b.Horizon
	if open || entry.Last.Sequence > 0 {
		b.latest.Add(ref.Terminal, entry)
	}
	if !open {
		b.over = append(b.over, passed{ref, e.Seq, e.At})
		return true
	}
	b.open[ref.Terminal] = append(b.open[ref.Terminal], entry)
	return true
}

// close takes an order out of the open ones. b.mu is held.
func (b *Board) close(e *Entry) {
	left := slices.DeleteFunc(b.open[e.Terminal], func(o *Entry) bool { return o == e })
	if b.open[e.Terminal] = left; len(left) == 0 {
		delete(b.open, e.Terminal)
	}
}

// tidy drops what is old, and counts what is silent, until ctx is over.
func (b *Board) tidy(ctx context.Context) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now := b.Feed.Now()
		b.prune(now)
		b.Metrics.SetSessionsWithoutStatus(len(slices.DeleteFunc(b.Silent(now), func(e Entry) bool { return e.Claim.Owner != b.Self })))
	}
}

// prune drops orders that are over and old, or too many; and open ones that are
// older than any payment: their claims have expired in the stream too.
func (b *Board) prune(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	drop := 0
	for drop < len(b.over)-recent && (len(b.over)-drop > maxOver || now.Sub(b.over[drop].at) > b.Horizon) {
		p := b.over[drop]
		if e := b.entries[p.ref]; e != nil && e.Seq == p.seq {
			delete(b.entries, p.ref)
		}
		drop++
	}
	b.over = slices.Delete(b.over, 0, drop)
	for _, e := range b.active() {
		if now.Sub(e.Changed()) > b.Horizon {
			b.close(e)
			delete(b.entries, e.Ref)
		}
	}
}

// Get returns what is known of an order.
func (b *Board) Get(ref Ref) (Entry, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[ref]
	if e == nil {
		return Entry{Ref: ref}, false
	}
	return *e, true
}

// Active returns the orders that are not over, ordered by terminal.
func (b *Board) Active() []Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	active := make([]Entry, 0, len(b.open))
	for _, e := range b.active() {
		active = append(active, *e)
	}
	slices.SortFunc(active, func(x, y Entry) int {
		return cmp.Or(cmp.Compare(x.Terminal, y.Terminal), x.Started().Compare(y.Started()), cmp.Compare(x.Order, y.Order))
	})
	return active
}

// active lists the orders that are not over. b.mu is held.
func (b *Board) active() []*Entry { return slices.Concat(slices.Collect(maps.Values(b.open))...) }

// At returns the order that holds a terminal, or else the one that something last
// happened to there; ok is false if none is known.
func (b *Board) At(terminal string) (e Entry, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, open := range b.open[terminal] {
		if !ok || open.Started().After(e.Started()) {
			e, ok = *open, true
		}
	}
	if latest, known := b.latest.Peek(terminal); !ok && known {
		return *latest, true
	}
	return e, ok
}

// Terminals returns the terminals of which At knows an order.
func (b *Board) Terminals() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Concat(b.latest.Keys(), slices.Collect(maps.Keys(b.open)))
}

// Silent returns the open orders that have had no status for longer than Silence.
func (b *Board) Silent(now time.Time) []Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	var silent []Entry
	for _, e := range b.active() {
		if e.Last.Sequence == 0 && now.Sub(e.Started()) >= Silence {
			silent = append(silent, *e)
		}
	}
	return silent
}

// Open returns the claimed orders that are not over, with their owners.
func (b *Board) Open() map[Ref]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	open := make(map[Ref]string, len(b.open))
	for _, e := range b.active() {
		if e.Claim.Epoch > 0 {
			open[e.Ref] = e.Claim.Owner
		}
	}
	return open
}

// Elsewhere reports whether an order with this id is known to exist on another terminal
// of the group.
func (b *Board) Elsewhere(ref Ref, group string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for other, e := range b.entries {
		if other.Order == ref.Order && other.Terminal != ref.Terminal && e.Claim.Phase == payment.ClaimOpen && e.Claim.Group == group {
			return true
		}
	}
	return false
}

// Watched returns the orders whose end is not the last word, with the owners of their
// claims: those that ended unpaid at most so long ago, and those that were paid at most
// so long ago and of which no other amount is known.
func (b *Board) Watched(unpaid, paid time.Duration) map[Ref]string {
	now := b.Feed.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	watched := map[Ref]string{}
	for _, p := range slices.Backward(b.over) {
		if now.Sub(p.at) > max(unpaid, paid) {
			break
		}
		e := b.entries[p.ref]
		if e == nil || e.Claim.Epoch == 0 {
			continue
		}
		age := now.Sub(e.Last.ObservedAt)
		if payment.EndsUnpaid(e.Last.Status) && age <= unpaid || e.Last.Status == "completed" && e.Last.AmountCharged == 0 && age <= paid {
			watched[p.ref] = e.Claim.Owner
		}
	}
	return watched
}

// Over returns the latest orders that are over and have a status, at most limit,
// ordered by their last status.
func (b *Board) Over(limit int) []Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	var over []Entry
	taken := map[Ref]bool{}
	for _, p := range slices.Backward(b.over) {
		e := b.entries[p.ref]
		if e == nil || !e.Last.Final || taken[p.ref] {
			continue
		}
		taken[p.ref] = true
		if over = append(over, *e); len(over) == limit {
			break
		}
	}
	slices.SortFunc(over, func(x, y Entry) int { return cmp.Compare(x.StatusSeq, y.StatusSeq) })
	return over
}
