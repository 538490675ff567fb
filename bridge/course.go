package bridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/console"
)

// courseLimit is how long the course of a payment may take to be read.
const courseLimit = 5 * time.Second

var errNoReplica = errors.New("NATS and JetStream are not there yet")

// Course implements console.History.
func (v *view) Course(ctx context.Context, terminal, order string) (console.Course, error) {
	ctx, cancel := context.WithTimeout(ctx, courseLimit)
	defer cancel()
	r, past := v.following()
	if r == nil {
		return console.Course{}, errNoReplica
	}
	if terminal == "" {
		var err error
		if terminal, err = r.terminalOf(ctx, past, order); err != nil {
			return console.Course{}, err
		}
	}
	statuses, err := past.Course(ctx, terminal, order)
	if err != nil {
		return console.Course{}, fmt.Errorf("read course: %w", err)
	}
	record, _, there := r.board.of(terminal)
	there = there && record.Order == order && record.Phase != bus.Refused
	remembered := r.activities.of(terminal, order)
	if len(statuses) == 0 && !there && len(remembered) == 0 {
		return console.Course{}, console.ErrNotFound
	}

	c := console.Course{Terminal: terminal, Order: order, Status: "refused"}
	if there {
		c.Status, c.SessionID = shownStatus(""), record.SessionID
		c.Amount, c.Currency, c.Started = record.Amount, record.Currency, record.StartedAt
		c.Replica, c.Stream = record.Replica, record.Stream
	}
	if n := len(statuses); n > 0 {
		e := statuses[n-1].Event
		c.Status, c.Financial, c.Final = e.Status, e.FinancialStatus, e.Final
		c.SessionID, c.TransactionID = orElse(e.SessionID, c.SessionID), e.TransactionID
		c.Amount, c.Currency, c.Started = e.Amount, e.Currency, statuses[n-1].StartedAt
	}
	c.Steps = steps(c.Started, statuses, remembered, r.ReplicaID)
	c.Note = r.courseNote(c, there, remembered)
	return c, nil
}

// terminalOf finds the terminal of an order, open or over.
func (r *Replica) terminalOf(ctx context.Context, past Past, order string) (string, error) {
	for terminal, record := range r.board.all() {
		if record.Order == order && record.Phase != bus.Refused {
			return terminal, nil
		}
	}
	terminal, err := past.TerminalOf(ctx, order)
	if errors.Is(err, bus.ErrNotFound) {
		return "", console.ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("find order: %w", err)
	}
	return terminal, nil
}

// steps puts the statuses and what this replica remembers into one order.
func steps(started time.Time, statuses []bus.Stored, remembered []activity, replica string) []console.Step {
	var all []console.Step
	if !started.IsZero() {
		all = append(all, console.Step{Kind: console.StepActivity, At: started, Text: "Start accepted"})
	}
	measured := map[uint64]time.Duration{}
	here := false // taken over by this replica, which remembers how
	for _, a := range remembered {
		step := console.Step{Kind: console.StepActivity, At: a.at, Text: a.text}
		switch a.kind {
		case published:
			measured[a.sequence] = a.took
			continue
		case met:
			step.Kind = console.StepTrouble
		case tookOver:
			step.Kind, here = console.StepTakeover, true
		}
		if a.count > 1 {
			step.Count, step.Until = a.count, a.until
		}
		all = append(all, step)
	}
	before := ""
	for _, s := range statuses {
		if before != "" && s.Replica != before && (s.Replica != replica || !here) {
			all = append(all, console.Step{Kind: console.StepTakeover, At: s.Event.ObservedAt, Text: s.Replica + " goes on in the place of " + before})
		}
		before = s.Replica
		all = append(all, statusStep(s, measured))
	}
	slices.SortStableFunc(all, func(a, b console.Step) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
	return all
}

// statusStep is a status event. Its latency is what this replica measured, or
// else the time between two clocks, the replica's and the NATS server's.
func statusStep(s bus.Stored, measured map[uint64]time.Duration) console.Step {
	e := s.Event
	step := console.Step{
		Kind: console.StepStatus, At: e.ObservedAt, Status: e.Status, Source: e.Source,
		Sequence: e.Sequence, Final: e.Final, Replica: s.Replica,
	}
	took := measured[e.Sequence]
	if took == 0 {
		took = s.At.Sub(e.ObservedAt)
	}
	if took > 0 {
		ms := float64(took.Microseconds()) / 1000
		step.Latency = &ms
	}
	return step
}

// courseNote says what the course may lack.
func (r *Replica) courseNote(c console.Course, open bool, remembered []activity) string {
	switch {
	case open && c.Replica != "" && c.Replica != r.ReplicaID:
		return "Reconnects and reconciles are remembered by the replica that meets them. This page is served by " +
			r.ReplicaID + ", the payment is followed by " + c.Replica + "; its statuses are complete all the same."
	case len(remembered) == 0:
		return r.ReplicaID + ", which serves this page, did not follow this payment, or has forgotten: reconnects and reconciles are not shown. The statuses are complete."
	}
	return ""
}
