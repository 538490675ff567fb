package overview

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/posbridge/bridge/internal/board"
	"github.com/posbridge/bridge/internal/console"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/telemetry"
)

const (
	// maxPayments is how many payments that are over are shown.
	maxPayments = 300
	// groupsPause is how long the terminals of the groups are good, glancePause an
	// overview.
	groupsPause = 5 * time.Second
	glancePause = 500 * time.Millisecond
)

// Board is what the page shows of the board.
type Board interface {
	At(terminal string) (board.Entry, bool)
	Terminals() []string
	Active() []board.Entry
	Over(limit int) []board.Entry
	Silent(now time.Time) []board.Entry
}

// Past reads the logs of orders.
type Past interface {
	ReadLogFast(ctx context.Context, terminal, order string, all bool) (payment.Log, error)
	// TerminalOf finds the terminal that an order was last on, or bus.ErrNotFound.
	TerminalOf(ctx context.Context, order string) (string, error)
	// Now is the time by the NATS server's clock.
	Now() time.Time
}

// State says how the parts of a replica are. An empty text is good, any other one
// says what is wrong.
type State struct {
	NATS, JetStream, Service string
	// Stopping is set while the replica drains.
	Stopping bool
}

// Options are what a page works with. Board and Past may be set later, see Connect.
type Options struct {
	Replica, Version string
	// Groups returns the terminals that belong to a group, with the group's id.
	Groups  func() map[string]string
	State   func() State
	Metrics *telemetry.Metrics
}

// Page is the content of the console. It implements console.Source.
type Page struct {
	opts  Options
	notes *Notes
	calls calls

	mu    sync.Mutex
	board Board // nil until NATS and JetStream are there
	past  Past
	// watchers are called after every change.
	watchers map[*func(string)]struct{}
	// groups of the terminals, as of groupsAt.
	groups   map[string]string
	groupsAt time.Time
	// glance is the overview as of glanceAt.
	glance   console.Overview
	glanceAt time.Time
}

// New returns a page that shows nothing until Connect.
func New(o Options) *Page {
	return &Page{notes: NewNotes(), opts: o, watchers: map[*func(string)]struct{}{}}
}

// Connect begins to show the orders of a board.
func (p *Page) Connect(b Board, past Past) {
	p.mu.Lock()
	p.board, p.past = b, past
	p.mu.Unlock()
	p.Changed("")
}

func (p *Page) sources() (Board, Past) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.board, p.past
}

// ProviderCalled counts a request to the provider, and remembers it. It is what
// multisafepay.Options.Observe takes.
func (p *Page) ProviderCalled(operation, code string, took time.Duration) {
	p.opts.Metrics.ProviderRequest(operation, code, took)
	p.calls.note(callOf(operation, code, took))
}

// Noted remembers what this replica did, or met, in the course of a payment.
func (p *Page) Noted(terminal, order string, note payment.Note, at time.Time) {
	p.notes.Noted(terminal, order, note, at)
	switch note.Kind {
	case payment.NoteStream, payment.NoteTrouble, payment.NoteFailed:
		p.Changed(terminal)
	}
}

// Changed takes note of a change of a terminal's orders, or of all with "". It is
// what board.Options.Changed takes.
func (p *Page) Changed(terminal string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for changed := range p.watchers {
		(*changed)(terminal) // it returns at once
	}
}

// Watch implements console.Lists.
func (p *Page) Watch(changed func(terminal string)) (stop func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watchers[&changed] = struct{}{}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.watchers, &changed)
	}
}

// Terminals implements console.Lists.
func (p *Page) Terminals(ids []string) []console.Terminal {
	b, _ := p.sources()
	groups := p.groupsOfTerminals()
	if ids == nil {
		ids = known(b, groups)
	}
	terminals := make([]console.Terminal, 0, len(ids))
	for _, id := range ids {
		terminals = append(terminals, p.terminal(b, id, groups[id]))
	}
	return terminals
}

func (p *Page) terminal(b Board, id, group string) console.Terminal {
	t := console.Terminal{ID: id, Group: group}
	if b == nil {
		return t
	}
	e, ok := b.At(id)
	switch {
	case ok && e.Open():
		t.Seen, t.Session = e.Changed().Truncate(time.Millisecond), p.session(e)
	case ok:
		t.Seen, t.Order, t.Status = e.Changed().Truncate(time.Millisecond), e.Order, e.Last.Status
	}
	return t
}

// session is what is shown of an open payment.
func (p *Page) session(e board.Entry) *console.Session {
	s := e.Session()
	return &console.Session{
		Order: s.OrderID, Amount: s.Amount, Currency: s.Currency, Status: s.Status,
		Started: s.StartedAt.Truncate(time.Millisecond), Replica: s.Replica, Stream: stream(p.notes.Of(e.Ref)),
	}
}

// known lists every terminal that is known from anywhere.
func known(b Board, groups map[string]string) []string {
	ids := slices.Collect(maps.Keys(groups))
	if b != nil {
		ids = append(ids, b.Terminals()...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// groupsOfTerminals says which group each terminal belongs to, as far as it is
// known, and not more than groupsPause ago.
func (p *Page) groupsOfTerminals() map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.groupsAt) > groupsPause {
		p.groups, p.groupsAt = p.opts.Groups(), time.Now()
	}
	return p.groups
}

// Payments implements console.Lists.
func (p *Page) Payments(after uint64) []console.Payment {
	b, _ := p.sources()
	if b == nil {
		return nil
	}
	var payments []console.Payment
	for _, e := range b.Over(maxPayments) {
		if e.StatusSeq > after {
			payments = append(payments, console.Payment{
				Revision: e.StatusSeq, Terminal: e.Terminal, Order: e.Order, Status: e.Last.Status,
				Amount: cmp.Or(e.Last.AmountCharged, e.Last.Amount), Currency: e.Last.Currency, Started: e.StartedAt, At: e.Last.ObservedAt,
			})
		}
	}
	return payments
}

// Overview implements console.Lists.
func (p *Page) Overview() console.Overview {
	p.mu.Lock()
	if time.Since(p.glanceAt) <= glancePause {
		defer p.mu.Unlock()
		return p.glance
	}
	p.mu.Unlock()
	o := p.look()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.glance, p.glanceAt = o, time.Now()
	return o
}

// look makes an overview.
func (p *Page) look() console.Overview {
	state, now := p.opts.State(), time.Now()
	o := console.Overview{Replica: p.opts.Replica, Version: p.opts.Version, Totals: totals(p.opts.Metrics)}
	b, past := p.sources()
	service := healthOf("This replica", "Serves commands", state.Service, console.Trouble)
	if state.Stopping {
		service = healthOf("This replica", "", "this replica is draining", console.Trouble)
	}
	o.Health = []console.Health{
		healthOf("NATS", "Connected", state.NATS, console.Bad),
		healthOf("JetStream", "Reads and writes succeed", state.JetStream, console.Bad),
		p.calls.health(now), service,
	}
	switch {
	case state.NATS != "":
		o.Problem = "This replica is not connected to NATS: this page may show old data."
	case b == nil:
		o.Problem = "This replica waits for JetStream: there is nothing to show yet."
	}
	if b != nil {
		o.Open = len(b.Active())
		o.Health = append(o.Health, silence(b.Silent(past.Now())))
	}
	return o
}

// silence says whether there are payments that have no status.
func silence(silent []board.Entry) console.Health {
	h := console.Health{Name: "Payments", State: console.Good, Words: "Every payment has a status"}
	if n := len(silent); n > 0 {
		oldest := slices.MinFunc(silent, func(a, b board.Entry) int { return a.Started().Compare(b.Started()) })
		h.State = console.Trouble
		h.Words = fmt.Sprintf("%d without any status for %d s or more, such as order %s on terminal %s", n, int(board.Silence.Seconds()), oldest.Order, oldest.Terminal)
	}
	return h
}

// healthOf says how something is: good, unless something is wrong.
func healthOf(name, good, wrong, state string) console.Health {
	if wrong == "" {
		return console.Health{Name: name, State: console.Good, Words: good}
	}
	return console.Health{Name: name, State: state, Words: upper(wrong)}
}
