package console_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/posbridge/bridge/internal/console"
)

// TestMain fails when a test leaves a goroutine behind. More tests run at a time than there
// are processors, because most of them wait.
func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "4")
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for something that must happen.
const patience = 20 * time.Second

// fake is a Source that shows what it is told to.
type fake struct {
	mu        sync.Mutex
	terminals map[string]console.Terminal
	payments  []console.Payment
	overview  console.Overview
	courses   map[string]console.Course
	watchers  map[*func(string)]struct{}
	// failure is what Course answers with, when it is set.
	failure error
}

func newFake() *fake {
	return &fake{
		terminals: map[string]console.Terminal{},
		courses:   map[string]console.Course{},
		watchers:  map[*func(string)]struct{}{},
		overview: console.Overview{
			Replica: "replica-1", Version: "v1.2.3",
			Health: []console.Health{{Name: "NATS", State: console.Good, Words: "Connected"}},
			Totals: []console.Total{{Name: "Completed", Value: "12345", Metric: "status_published_total"}},
		},
	}
}

func (f *fake) Terminals(ids []string) []console.Terminal {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ids == nil {
		ids = slices.Sorted(maps.Keys(f.terminals))
	}
	var list []console.Terminal
	for _, id := range ids {
		t := f.terminals[id]
		t.ID = id
		list = append(list, t)
	}
	return list
}

func (f *fake) Payments(after uint64) []console.Payment {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []console.Payment
	for _, p := range f.payments {
		if p.Revision > after {
			list = append(list, p)
		}
	}
	return list
}

func (f *fake) Overview() console.Overview {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.overview
}

func (f *fake) Watch(changed func(string)) (stop func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watchers[&changed] = struct{}{}
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.watchers, &changed)
	}
}

func (f *fake) Course(_ context.Context, terminal, order string) (console.Course, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failure != nil {
		return console.Course{}, f.failure
	}
	c, ok := f.courses[order]
	if !ok || terminal != "" && c.Terminal != terminal {
		return console.Course{}, console.ErrNotFound
	}
	return c, nil
}

// watched is how many look.
func (f *fake) watched() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.watchers)
}

// put shows a terminal as it is now.
func (f *fake) put(t console.Terminal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.terminals[t.ID] = t
	for changed := range f.watchers {
		(*changed)(t.ID)
	}
}

// status changes the status of an open session.
func (f *fake) status(id, status string) {
	t := f.Terminals([]string{id})[0]
	s := *t.Session
	s.Status, t.Session = status, &s
	f.put(t)
}

// pay adds a payment that is over.
func (f *fake) pay(p console.Payment) {
	f.mu.Lock()
	p.Revision = uint64(len(f.payments) + 1)
	f.payments = append(f.payments, p)
	f.mu.Unlock()
	f.put(console.Terminal{ID: p.Terminal, Seen: p.At, Order: p.Order, Status: p.Status})
}

// busy is a terminal with an open session.
func busy(id, order, status string, age time.Duration) console.Terminal {
	now := time.Now().UTC().Truncate(time.Millisecond)
	return console.Terminal{
		ID: id, Seen: now,
		Session: &console.Session{
			Order: order, Amount: 1250, Currency: "EUR", Status: status,
			Started: now.Add(-age), Replica: "replica-1", Stream: "connected",
		},
	}
}

// crowd fills a source with open sessions.
func (f *fake) crowd(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	statuses := []string{"created", "initialized", "declined", "initialized"}
	currencies := []string{"EUR", "JPY", "KWD", "GBP"}
	for i := range n {
		t := busy(fmt.Sprintf("T%05d", i), fmt.Sprintf("2026-11-23/till-%04d.%d", i, i%7), statuses[i%4], time.Duration(i)*37*time.Millisecond)
		t.Group = fmt.Sprintf("shop-%d", i%40)
		t.Session.Amount, t.Session.Currency = int64(100+i*17), currencies[i%4]
		t.Session.Replica = fmt.Sprintf("pos-bridge-%d", i%3)
		f.terminals[t.ID] = t
	}
}

// serve runs a console until the test ends.
func serve(t testing.TB, source console.Source, token string) (c *console.Console, url string) {
	t.Helper()
	c = console.New(console.Options{Source: source, Token: token})
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	t.Cleanup(c.Close)
	return c, server.URL
}
