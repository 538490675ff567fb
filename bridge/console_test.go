package bridge_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/console"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/internal/simulator"
)

// screen is what somebody who looks at a replica's console has been told.
type screen struct {
	t         *testing.T
	lines     *bufio.Scanner
	terminals map[string]console.Terminal
	payments  map[string]console.Payment
	overview  console.Overview
	all       strings.Builder
}

// look opens the console's stream.
func (r *replica) look() *screen {
	r.b.t.Helper()
	ctx, stop := context.WithTimeout(r.b.ctx, patience)
	r.b.t.Cleanup(stop)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/console/events", http.NoBody)
	if err != nil {
		r.b.t.Fatal(err)
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		r.b.t.Fatal(err)
	}
	r.b.t.Cleanup(func() { response.Body.Close() })
	s := &screen{t: r.b.t, lines: bufio.NewScanner(response.Body), terminals: map[string]console.Terminal{}, payments: map[string]console.Payment{}}
	s.lines.Buffer(nil, 4<<20)
	return s
}

// until reads on until something is shown.
func (s *screen) until(what string, holds func() bool) {
	s.t.Helper()
	name := ""
	for !holds() {
		if !s.lines.Scan() {
			s.t.Fatalf("it was not shown: %s (%v)\n%+v", what, s.lines.Err(), s.terminals)
		}
		line := s.lines.Text()
		s.all.WriteString(line + "\n")
		if n, ok := strings.CutPrefix(line, "event: "); ok {
			name = n
		}
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		var err error
		switch name {
		case "hello", "overview":
			var body struct{ Overview console.Overview }
			err = json.Unmarshal([]byte(data), &body)
			s.overview = body.Overview
		case "terminals":
			var list []console.Terminal
			err = json.Unmarshal([]byte(data), &list)
			for _, t := range list {
				s.terminals[t.ID] = t
			}
		case "payments":
			var list []console.Payment
			err = json.Unmarshal([]byte(data), &list)
			for _, p := range list {
				s.payments[p.Order] = p
			}
		}
		if err != nil {
			s.t.Fatalf("%v in %s", err, data)
		}
	}
}

// session waits until a terminal's session is shown in some way.
func (s *screen) session(terminal, what string, holds func(console.Session) bool) {
	s.t.Helper()
	s.until(what, func() bool {
		there := s.terminals[terminal].Session
		return there != nil && holds(*there)
	})
}

// course asks for the course of an order.
func (r *replica) course(terminal, order string) (c console.Course) {
	r.b.t.Helper()
	status, body := r.get("/console/order?" + url.Values{"terminal": {terminal}, "order": {order}}.Encode())
	if status != http.StatusOK {
		r.b.t.Fatalf("course of %s: %d %s", order, status, body)
	}
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		r.b.t.Fatal(err)
	}
	return c
}

// words of the steps that are no statuses, and the statuses.
func wordsOf(c console.Course) (words, statuses []string) {
	for _, s := range c.Steps {
		if s.Kind == console.StepStatus {
			statuses = append(statuses, s.Status)
		} else {
			words = append(words, s.Text)
		}
	}
	return words, statuses
}

// A refund long after the end is shown by every replica: in the list of payments, at
// the terminal, and in the course. Nothing shows the payment as paid any more.
func TestConsoleShowsALateChange(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	notified, other := b.run(hooked), b.run()
	screens := []*screen{notified.look(), other.look()}
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	b.act(terminal1, simulator.ActApprove)
	b.await("a", "initialized", "completed")
	b.waitFree(terminal1)
	b.act(terminal1, simulator.ActRefund)
	if got := notify(t, hookAddress(t, notified), "a"); got != http.StatusOK {
		t.Fatalf("notification: got %d", got)
	}
	for _, s := range screens {
		s.until("the refund", func() bool {
			at := s.terminals[terminal1]
			return s.payments["a"].Status == "refunded" && at.Session == nil && at.Status == "refunded"
		})
	}
	for _, r := range []*replica{notified, other} {
		c := r.course(terminal1, "a")
		if _, statuses := wordsOf(c); c.Status != "refunded" || !slices.Equal(statuses, []string{"initialized", "completed", "refunded"}) {
			t.Errorf("the course: %s, %v", c.Status, statuses)
		}
	}
}

// The console shows a payment from its start to its end, on every replica, and
// its course afterwards; the numbers are those of the metrics.
func TestConsoleShowsAPayment(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	r := b.run()
	s := r.look()
	b.start(order("inv/7.1", terminal1))
	s.session(terminal1, "open and connected", func(s console.Session) bool {
		return s.Order == "inv/7.1" && s.Amount == 1000 && s.Currency == "EUR" && s.Replica == "replica-1" && s.Stream == "connected"
	})
	b.act(terminal1, simulator.ActTap)
	s.session(terminal1, "initialized", func(s console.Session) bool { return s.Status == "initialized" })
	b.act(terminal1, simulator.ActDecline)
	s.session(terminal1, "declined", func(s console.Session) bool { return s.Status == "declined" })
	b.act(terminal1, simulator.ActInsert, simulator.ActPIN, simulator.ActApprove)
	s.until("it is over and the terminal free", func() bool {
		terminal := s.terminals[terminal1]
		return s.payments["inv/7.1"].Status == "completed" && terminal.Session == nil && terminal.Status == "completed"
	})
	if p := s.payments["inv/7.1"]; p.Amount != 1000 || p.Currency != "EUR" || p.Terminal != terminal1 || p.Started.IsZero() || p.At.IsZero() {
		t.Errorf("payment: %+v", p)
	}

	c := r.course(terminal1, "inv/7.1")
	words, statuses := wordsOf(c)
	if want := []string{"initialized", "declined", "initialized", "completed"}; !slices.Equal(statuses, want) {
		t.Errorf("statuses: got %v, want %v", statuses, want)
	}
	for _, want := range []string{"Start accepted", "Received from the queue; the terminal is locked", "The order exists at the provider; the terminal shows it", "Event stream connected"} {
		if !slices.Contains(words, want) {
			t.Errorf("the course does not say %q: %q", want, words)
		}
	}
	for _, step := range c.Steps {
		if step.Kind == console.StepStatus && (step.Latency == nil || *step.Latency <= 0 || step.Source == "" || step.Replica != "replica-1" || step.At.IsZero()) {
			t.Errorf("step: %+v", step)
		}
	}
	if found := r.course("", "inv/7.1"); found.Terminal != terminal1 || !found.Final || found.SessionID == "" || found.TransactionID == "" {
		t.Errorf("found by its order alone: %+v", found)
	}
	if status, _ := r.get("/console/order?order=other"); status != http.StatusNotFound {
		t.Errorf("an order that is not known: %d", status)
	}

	total := func(name string) string {
		for _, n := range s.overview.Totals {
			if n.Metric == name {
				return n.Value
			}
		}
		return "none"
	}
	s.until("the numbers are those of the metrics", func() bool { return total("status_published_total") == "4" })
	for _, metric := range []string{"sessions_active", "failovers_total"} {
		if got, want := total(metric), r.metric("pos_bridge_"+metric); got != want {
			t.Errorf("%s: the console says %s, the metrics %s", metric, got, want)
		}
	}
	health := map[string]string{}
	for _, h := range s.overview.Health {
		health[h.Name] = h.State
	}
	if health["NATS"] != console.Good || health["JetStream"] != console.Good || health["MultiSafepay"] != console.Good || health["This replica"] != console.Good {
		t.Errorf("health: %+v", s.overview.Health)
	}
	if all := s.all.String(); strings.Contains(all, apiKey) || strings.Contains(all, "sealed") || strings.Contains(all, "token\":\"") {
		t.Error("the console tells a secret")
	}

	// Somebody who comes later is told of it too, by another replica as well.
	late := b.run().look()
	late.until("the payment that is over", func() bool { return late.payments["inv/7.1"].Status == "completed" })
}

// A replica that goes in mid-payment: the other one shows who goes on, and how it
// came to it.
func TestConsoleShowsATakeover(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	first := b.run()
	b.start(order("a", terminal1))
	b.act(terminal1, simulator.ActTap)
	b.await("a", "initialized")
	second := b.run()
	s := second.look()
	s.session(terminal1, "the first follows", func(s console.Session) bool { return s.Replica == first.id })
	if c := second.course(terminal1, "a"); !strings.Contains(c.Note, first.id) {
		t.Errorf("the second does not say that the first follows: %q", c.Note)
	}
	first.kill()
	s.session(terminal1, "the second follows", func(s console.Session) bool { return s.Replica == second.id && s.Stream == "connected" })
	b.act(terminal1, simulator.ActApprove)
	s.until("it is over", func() bool { return s.payments["a"].Status == "completed" })
	c := second.course(terminal1, "a")
	takeovers := 0
	for _, step := range c.Steps {
		if step.Kind == console.StepTakeover {
			takeovers++
		}
	}
	if _, statuses := wordsOf(c); takeovers == 0 || !slices.Equal(statuses, []string{"initialized", "completed"}) {
		t.Errorf("course: %+v", c.Steps)
	}
}

// The console is off, or asks for its token; health and metrics are open.
func TestConsoleOffAndProtected(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	off := b.run(func(c *bridge.Config) { c.HTTP.Console = false })
	locked := b.run(func(c *bridge.Config) { c.HTTP.ConsoleToken = redact.NewSecret("open-sesame") })
	for path, want := range map[string][2]int{
		"/":               {http.StatusNotFound, http.StatusUnauthorized},
		"/console/events": {http.StatusNotFound, http.StatusUnauthorized},
		"/healthz":        {http.StatusOK, http.StatusOK},
		"/readyz":         {http.StatusOK, http.StatusOK},
		"/metrics":        {http.StatusOK, http.StatusOK},
	} {
		for i, r := range []*replica{off, locked} {
			if got, _ := r.get(path); got != want[i] {
				t.Errorf("%s on %s: got %d, want %d", path, r.id, got, want[i])
			}
		}
	}
	if strings.Contains(locked.logs.String(), "open-sesame") {
		t.Error("the token is in the log")
	}
}

// Somebody who looks does not hold a stop up.
func TestConsoleDoesNotHoldUpTheEnd(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	r := b.run()
	s := r.look()
	s.until("hello", func() bool { return s.overview.Replica == r.id })
	began := time.Now()
	r.drain()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the end took %s", took)
	}
}

// A lost stream, and what was asked meanwhile, are in the course; the console says
// that NATS is away, and is there all the same.
func TestConsoleShowsTrouble(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	b.miss()
	r := b.run(short)
	s := r.look()
	b.start(order("a", terminal1, fields{"custom_info": fields{"custom_2": "fault:drop_stream:after=1"}}))
	b.act(terminal1, simulator.ActTap)
	b.await("a", "initialized")
	eventually(t, "the course tells of the lost stream and of asking", func() bool {
		words, _ := wordsOf(r.course(terminal1, "a"))
		all := strings.Join(words, "\n")
		return strings.Contains(all, "connecting again") && strings.Contains(all, "Asked the provider: initialized")
	})
	b.nats.Shutdown()
	s.until("NATS is away", func() bool { return s.overview.Problem != "" && s.overview.Health[0].State == console.Bad })
	if err := b.nats.Restart(); err != nil {
		t.Fatal(err)
	}
	s.until("NATS is back", func() bool { return s.overview.Problem == "" && s.overview.Health[0].State == console.Good })
}
