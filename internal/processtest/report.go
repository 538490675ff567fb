package processtest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/posbridge/bridge/internal/simulator"
)

// Report is what an audit found.
type Report struct {
	// Orders at the provider, and Events stored on the bus.
	Orders, Events int
	// Lost statuses: promise 1 covers them, and they were not published.
	Lost []string
	// Doubled statuses: published twice, out of order, or never shown.
	Doubled []string
	// Wrong is everything else that the contract does not allow.
	Wrong []string
	// Unresolved orders were given up by the bridge.
	Unresolved []string
	// Excepted statuses are missing under the exception of promise 1.
	Excepted []string
	// Unseen statuses went out on no stream and changed again before anybody asked.
	Unseen []string
	// Amounts counts amounts charged that were not published because a replica was
	// disturbed when the payment ended.
	Amounts int
	// Owed counts amounts charged that must be published and are not. They may still come:
	// the terminal is free before.
	Owed int
	// NotCreated counts orders that the bridge ended with not_created, rightly.
	NotCreated int
	// Missed are stored events that the auditor's plain subscription did not hear.
	// That is allowed while it or a server was away.
	Missed int
	// Echoes are stored events that a plain subscriber heard a second time, the very
	// same message. A new leader of a replicated stream republishes what the killed
	// leader had stored and republished last: the bridge cannot prevent that.
	Echoes []string
	// Leftovers are claims that a newer one has replaced and that are still there: a
	// server that is killed may have stored the new one only.
	Leftovers []string
	// ServerKilled is set where a NATS server was killed, which allows both.
	ServerKilled bool
}

func (r Report) String() string {
	return fmt.Sprintf("%d orders, %d events: %d lost, %d doubled, %d wrong, %d unresolved; %d excepted, %d unseen, %d amounts unknown, %d not created, %d missed and %d heard again by a plain subscription",
		r.Orders, r.Events, len(r.Lost), len(r.Doubled), len(r.Wrong), len(r.Unresolved), len(r.Excepted), len(r.Unseen), r.Amounts, r.NotCreated, r.Missed, len(r.Echoes))
}

// Check fails the test for everything that must not be.
func (r Report) Check(tb testing.TB) {
	tb.Helper()
	tb.Logf("audit: %s", r)
	for _, e := range r.Excepted[:min(len(r.Excepted), 3)] {
		tb.Logf("excepted, for example: %s", e)
	}
	findings := map[string][]string{"lost": r.Lost, "doubled": r.Doubled, "wrong": r.Wrong, "unresolved": r.Unresolved}
	if !r.ServerKilled {
		findings["heard again"], findings["left over"] = r.Echoes, r.Leftovers
	}
	for what, list := range findings {
		for _, f := range list[:min(len(list), 20)] {
			tb.Errorf("%s: %s", what, f)
		}
		if more := len(list) - 20; more > 0 {
			tb.Errorf("%s: and %d more", what, more)
		}
	}
}

// judgeStream judges the stream as a whole: ids are unique, a claim replaces the
// claim before it, and nothing that the simulator sends is unintelligible.
func (r *Report) judgeStream(c contents) {
	ids := map[string]string{}
	for _, m := range c.statuses {
		if other, twice := ids[m.id]; twice {
			r.Doubled = append(r.Doubled, fmt.Sprintf("Nats-Msg-Id %q on %s and %s", m.id, other, m.subject))
		}
		ids[m.id] = m.subject
	}
	for subject, n := range c.claims {
		if n > 1 {
			r.Leftovers = append(r.Leftovers, fmt.Sprintf("%d claims on %s", n, subject))
		}
	}
	for _, i := range c.invalid {
		r.Wrong = append(r.Wrong, "invalid event: "+i)
	}
}

// judgeUnknown judges orders that the provider does not have.
func (r *Report) judgeUnknown(stored, heard map[string][]message) {
	for _, order := range slices.Sorted(maps.Keys(stored)) {
		if slices.Equal(statusesOf(stored[order]), []string{"not_created"}) {
			r.NotCreated++
			r.judgeHeard(order, stored[order], heard[order])
			delete(heard, order)
			continue
		}
		r.Doubled = append(r.Doubled, fmt.Sprintf("order %s: the provider does not have it, published %v", order, statusesOf(stored[order])))
	}
	for _, order := range slices.Sorted(maps.Keys(heard)) {
		r.Doubled = append(r.Doubled, fmt.Sprintf("order %s: heard on the bus, and not stored", order))
	}
}

// judgeHeard compares what a plain subscriber heard with what is stored: the same
// messages in the same order; some may be missing.
func (r *Report) judgeHeard(order string, stored, heard []message) {
	next, matched := 0, 0
	for _, m := range heard {
		found := slices.IndexFunc(stored[next:], m.same)
		switch {
		case found >= 0:
			next += found + 1
			matched++
		case slices.ContainsFunc(stored[:next], m.same):
			r.Echoes = append(r.Echoes, fmt.Sprintf("order %s: %s (sequence %d)", order, m.event.Status, m.event.Sequence))
		default:
			r.Doubled = append(r.Doubled, fmt.Sprintf("order %s: a subscriber heard %s (sequence %d), which is not stored there; stored %s",
				order, m.event.Status, m.event.Sequence, bodies(stored)))
		}
	}
	r.Missed += len(stored) - matched
}

// bodies prints messages for people.
func bodies(messages []message) string {
	var b strings.Builder
	for _, m := range messages {
		fmt.Fprintf(&b, "[%s %s] ", m.id, m.body)
	}
	return b.String()
}

var transactionForm = regexp.MustCompile(`^[0-9]*$`)

// judgeForm compares every event of an order with the letter of the contract.
func (r *Report) judgeForm(o simulator.Order, published []message) {
	var previous event
	final := false
	for i, m := range published {
		e := m.event
		wrong := func(format string, args ...any) {
			r.Wrong = append(r.Wrong, fmt.Sprintf("order %s, event %d: ", o.ID, i+1)+fmt.Sprintf(format, args...))
		}
		if want := "pos." + o.Terminal + "." + orderToken(o.ID) + ".status"; m.subject != want {
			wrong("subject %q, want %q", m.subject, want)
		}
		if want := o.Terminal + "." + orderToken(o.ID) + "." + strconv.Itoa(i+1); m.id != want || e.Sequence != i+1 {
			wrong("Nats-Msg-Id %q, sequence %d, want %q", m.id, e.Sequence, want)
		}
		if !e.complete() {
			wrong("a field is missing: %s", m.body)
			continue
		}
		if e.TerminalID != o.Terminal || e.Amount != o.Amount || e.Currency != o.Currency || e.SessionID != "" && e.SessionID != o.SessionID {
			wrong("%s, want terminal %s, amount %d %s, session %s or none", m.body, o.Terminal, o.Amount, o.Currency, o.SessionID)
		}
		if e.AmountCharged != 0 && e.AmountCharged != o.AmountCharged {
			wrong("amount charged %d, want %d or none", e.AmountCharged, o.AmountCharged)
		}
		if want := strconv.FormatInt(o.TransactionID, 10); !transactionForm.MatchString(*e.TransactionID) || *e.TransactionID != "" && *e.TransactionID != want {
			wrong("transaction id %q, want %q or none", *e.TransactionID, want)
		}
		if *e.PreviousStatus != previous.Status || previous.Status == "unresolved" || e.Status == "not_created" {
			wrong("%s follows %q and claims to follow %q", e.Status, previous.Status, *e.PreviousStatus)
		}
		if repeats(previous, e) {
			r.Doubled = append(r.Doubled, fmt.Sprintf("order %s, event %d: %s after %s", o.ID, i+1, e.Status, previous.Status))
		}
		if final = final || endsPayment(e.Status); *e.Final != final {
			wrong("final is %v on %s, want %v", *e.Final, e.Status, final)
		}
		if !slices.Contains([]string{"stream", "reconcile", "bridge"}, e.Source) {
			wrong("source %q", e.Source)
		}
		previous = e
	}
}

// repeats reports an event that says nothing new: the same status again, other
// than with the amount that was charged, or a second way to end unpaid.
func repeats(previous, e event) bool {
	unpaid := []string{"cancelled", "void", "expired"}
	if previous.Status == e.Status {
		return e.AmountCharged == 0 || e.AmountCharged == previous.AmountCharged
	}
	return slices.Contains(unpaid, previous.Status) && slices.Contains(unpaid, e.Status)
}

// judgeHistory compares the published statuses with those of the provider.
func (r *Report) judgeHistory(o simulator.Order, published []message, shown []Shown, excuses []Excuse) {
	changes := changesOf(o, shown)
	var statuses []string
	for _, m := range published {
		if m.event.Status == "unresolved" {
			r.Unresolved = append(r.Unresolved, fmt.Sprintf("order %s, the provider says %s", o.ID, o.Status))
			continue
		}
		if n := len(statuses); n > 0 && statuses[n-1] == m.event.Status && m.event.AmountCharged != 0 {
			continue // the amount that was charged, known later
		}
		statuses = append(statuses, m.event.Status)
	}
	r.judgeAmount(o, published, changes[len(changes)-1], excuses)
	told := fmt.Sprintf("published %v, the provider showed %s", statuses, history(changes))
	missing, possible := weigh(statuses, changes, excuses)
	if !possible {
		r.Doubled = append(r.Doubled, fmt.Sprintf("order %s: %s", o.ID, told))
	}
	for _, i := range missing {
		finding := fmt.Sprintf("order %s: %s (%d of %d); %s", o.ID, changes[i].Status, i+1, len(changes), told)
		switch dutyOf(changes, i, excuses) {
		case mustPublish:
			r.Lost = append(r.Lost, finding)
		case excepted:
			r.Excepted = append(r.Excepted, finding)
		case unseen:
			if i > 0 { // nobody asked before the customer's first step
				r.Unseen = append(r.Unseen, finding)
			}
		}
	}
}

// judgeAmount demands the amount that was charged, if it is another one, unless
// the replica that saw the end was disturbed then: the bridge asks for it once.
func (r *Report) judgeAmount(o simulator.Order, published []message, last Change, excuses []Excuse) {
	known := slices.ContainsFunc(published, func(m message) bool { return m.event.AmountCharged != 0 })
	disturbed := slices.ContainsFunc(excuses, func(e Excuse) bool {
		saw := e.Replica == "" || slices.ContainsFunc(last.Witnesses, func(w Witness) bool { return w.Replica == e.Replica })
		return saw && e.From.Before(last.At.Add(patience)) && e.To.After(last.At)
	})
	switch {
	case o.AmountCharged == 0 || known:
	case disturbed || len(last.Witnesses) == 0:
		r.Amounts++
	default:
		r.Owed++
		r.Wrong = append(r.Wrong, fmt.Sprintf("order %s: the amount charged, %d, was never published", o.ID, o.AmountCharged))
	}
}

// history prints what the provider showed, for people.
func history(changes []Change) string {
	var b strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&b, "%s %s", c.At.UTC().Format("05.000"), c.Status)
		for _, w := range c.Witnesses {
			fmt.Fprintf(&b, " (to %s at %s)", w.Replica, w.At.UTC().Format("05.000"))
		}
		b.WriteString("; ")
	}
	return b.String()
}
