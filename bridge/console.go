package bridge

import (
	"context"
	"sync"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/console"
)

// Bounds of what the operator's page is told.
const (
	// maxTerminals is how many terminals are remembered, and maxPayments how many
	// payments that are over.
	maxTerminals = 20_000
	maxPayments  = 300
	// recentStatuses is how far back recent payments are looked for, in statuses;
	// readAtOnce how many are asked for between two looks at how many there are.
	recentStatuses = 1000
	readAtOnce     = 100
	// readPause is the shortest time between two looks for new statuses.
	readPause = 200 * time.Millisecond
	// groupsPause is how long the terminals of the groups are believed.
	groupsPause = 5 * time.Second
)

// Past reads what was published.
type Past interface {
	// Course returns an order's statuses, in order.
	Course(ctx context.Context, terminal, order string) ([]bus.Stored, error)
	// Recent returns statuses of all orders after a sequence of the stream.
	Recent(ctx context.Context, after uint64, limit int) ([]bus.Stored, error)
	// TerminalOf finds the terminal that an order was last on, or bus.ErrNotFound.
	TerminalOf(ctx context.Context, order string) (string, error)
	// StatusesRevision is the sequence of the stream's latest message.
	StatusesRevision(ctx context.Context) (uint64, error)
}

// view is what the operator's page shows. It implements console.Source, and
// decides nothing: it reads the board, the status stream and what this replica
// remembers.
type view struct {
	daemon *Daemon
	calls  calls
	glance glance
	// woken gets a note when there may be new statuses to read.
	woken chan struct{}

	mu       sync.Mutex
	replica  *Replica // nil until NATS and JetStream are there
	past     Past
	watchers map[*func(string)]struct{}
	// seen is what last happened at each terminal.
	seen map[string]seen
	// payments that are over, by their revision.
	payments []console.Payment
	// read is the sequence of the last status that was read.
	read uint64
	// groups of the terminals, as they were told at groupsAt.
	groups   map[string]string
	groupsAt time.Time
}

// seen is what last happened at a terminal.
type seen struct {
	at            time.Time
	order, status string
}

func newView(d *Daemon) *view {
	return &view{daemon: d, woken: make(chan struct{}, 1), watchers: map[*func(string)]struct{}{}, seen: map[string]seen{}}
}

// follow begins to show a replica's sessions.
func (v *view) follow(r *Replica, past Past) {
	v.mu.Lock()
	v.replica, v.past = r, past
	v.mu.Unlock()
}

func (v *view) following() (*Replica, Past) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.replica, v.past
}

// Watch implements console.Lists.
func (v *view) Watch(changed func(terminal string)) (stop func()) {
	v.mu.Lock()
	v.watchers[&changed] = struct{}{}
	v.mu.Unlock()
	wake(v.woken)
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.watchers, &changed)
	}
}

// changed takes note of a change of a terminal's record, or of all with "".
func (v *view) changed(terminal string) {
	r, _ := v.following()
	if r != nil && terminal != "" {
		if record, _, ok := r.board.of(terminal); ok && record.Phase != bus.Refused {
			v.saw(terminal, seen{record.UpdatedAt, record.Order, shownStatus(record.Status)})
		}
	}
	v.tell(terminal)
	wake(v.woken)
}

// saw remembers what happened at a terminal, unless something later is known.
func (v *view) saw(terminal string, s seen) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if known, ok := v.seen[terminal]; ok && known.at.After(s.at) {
		return
	}
	v.seen[terminal] = s
	if len(v.seen) > maxTerminals {
		v.forget()
	}
}

// forget drops the terminal that was not heard of for longest, of some that a
// map happens to show first. v.mu is held.
func (v *view) forget() {
	oldest, looked := "", 0
	for terminal, s := range v.seen {
		if oldest == "" || s.at.Before(v.seen[oldest].at) {
			oldest = terminal
		}
		if looked++; looked == 64 {
			break
		}
	}
	delete(v.seen, oldest)
}

// tell tells those who look.
func (v *view) tell(terminal string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for changed := range v.watchers {
		(*changed)(terminal) // it returns at once
	}
}

// Terminals implements console.Lists.
func (v *view) Terminals(ids []string) []console.Terminal {
	r, _ := v.following()
	groups := v.groupsOfTerminals()
	if ids == nil {
		var sessions map[string]bus.Record
		if r != nil {
			sessions = r.board.all()
		}
		ids = v.known(groups, sessions)
	}
	terminals := make([]console.Terminal, 0, len(ids))
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, id := range ids {
		s := v.seen[id]
		t := console.Terminal{ID: id, Group: groups[id], Seen: s.at.Truncate(time.Millisecond)}
		if r != nil {
			if record, _, ok := r.board.of(id); ok {
				t.Session = openSession(record)
			}
		}
		if t.Session == nil {
			t.Order, t.Status = s.order, s.status
		}
		terminals = append(terminals, t)
	}
	return terminals
}

// known lists every terminal that is known from anywhere.
func (v *view) known(groups map[string]string, sessions map[string]bus.Record) []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	ids := make([]string, 0, len(groups)+len(sessions))
	for id := range groups {
		ids = append(ids, id)
	}
	for id := range sessions {
		if _, listed := groups[id]; !listed {
			ids = append(ids, id)
		}
	}
	for id := range v.seen {
		_, listed := groups[id]
		if _, open := sessions[id]; !listed && !open {
			ids = append(ids, id)
		}
	}
	return ids
}

// groupsOfTerminals says which group each terminal belongs to, as far as it is
// known, and not more than groupsPause ago.
func (v *view) groupsOfTerminals() map[string]string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if time.Since(v.groupsAt) > groupsPause {
		v.groups, v.groupsAt = v.daemon.groups.Terminals(), time.Now()
	}
	return v.groups
}

// openSession is what is shown of a record, nil when its payment is over or
// never was.
func openSession(r bus.Record) *console.Session {
	if r.Phase == bus.Refused || r.Final {
		return nil
	}
	return &console.Session{
		Order: r.Order, Amount: r.Amount, Currency: r.Currency, Status: shownStatus(r.Status),
		Started: r.StartedAt.Truncate(time.Millisecond), Replica: r.Replica, Stream: r.Stream,
	}
}

// Payments implements console.Lists.
func (v *view) Payments(after uint64) []console.Payment {
	v.mu.Lock()
	defer v.mu.Unlock()
	i := len(v.payments)
	for i > 0 && v.payments[i-1].Revision > after {
		i--
	}
	return append([]console.Payment(nil), v.payments[i:]...)
}

// run reads new statuses for as long as somebody looks, until ctx is over.
func (v *view) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-v.woken:
		case <-tick.C:
		}
		v.mu.Lock()
		looked := len(v.watchers) > 0
		v.mu.Unlock()
		if looked {
			v.readOn(ctx)
			sleep(ctx, readPause)
		}
	}
}

// readOn reads the statuses that were published since the last time, or the
// latest of them when there are many. What cannot be read now is read later.
func (v *view) readOn(ctx context.Context) {
	_, past := v.following()
	if past == nil {
		return
	}
	for full := v.read == 0; ; {
		if full { // there may be more than anybody wants to see
			latest, err := past.StatusesRevision(ctx)
			if err != nil {
				return
			}
			if latest > recentStatuses {
				v.read = max(v.read, latest-recentStatuses)
			}
		}
		statuses, err := past.Recent(ctx, v.read, readAtOnce)
		for _, s := range statuses {
			v.read = s.Seq
			v.take(s)
		}
		if full = len(statuses) == readAtOnce; err != nil || !full {
			return
		}
	}
}

// take shows a status: its terminal was seen, and its payment may be over.
func (v *view) take(s bus.Stored) {
	e := s.Event
	v.saw(e.TerminalID, seen{e.ObservedAt, e.OrderID, e.Status})
	if e.Final {
		v.paid(console.Payment{
			Revision: s.Seq, Terminal: e.TerminalID, Order: e.OrderID, Status: e.Status,
			Amount: e.Amount, Currency: e.Currency, Started: s.StartedAt, At: e.ObservedAt,
		})
	}
	v.tell(e.TerminalID)
}

// paid remembers a payment that is over, in the place of what was known of it.
func (v *view) paid(p console.Payment) {
	v.mu.Lock()
	defer v.mu.Unlock()
	kept := v.payments[:0]
	for _, other := range v.payments {
		if other.Order != p.Order || other.Terminal != p.Terminal {
			kept = append(kept, other)
		}
	}
	if len(kept) == maxPayments {
		kept = kept[:copy(kept, kept[1:])]
	}
	v.payments = append(kept, p)
}
