package overview

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/posbridge/bridge/internal/board"
	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/console"
	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/schema"
)

// courseLimit is how long the course of a payment may take to be read.
const courseLimit = 5 * time.Second

var errNoReplica = errors.New("NATS and JetStream are not connected yet")

// Course implements console.History.
func (p *Page) Course(ctx context.Context, terminal, order string) (console.Course, error) {
	ctx, cancel := context.WithTimeout(ctx, courseLimit)
	defer cancel()
	b, past := p.sources()
	if b == nil {
		return console.Course{}, errNoReplica
	}
	if terminal == "" {
		var err error
		if terminal, err = terminalOf(ctx, b, past, order); err != nil {
			return console.Course{}, err
		}
	}
	ref := board.Ref{Terminal: terminal, Order: order}
	log, err := past.ReadLogFast(ctx, terminal, order, true)
	if err != nil {
		return console.Course{}, fmt.Errorf("read course: %w", err)
	}
	notes := p.notes.Of(ref)
	if len(log.Statuses) == 0 && log.Claim == nil && len(notes) == 0 {
		return console.Course{}, console.ErrNotFound
	}
	return p.course(ref, log, notes), nil
}

// terminalOf finds the terminal of an order, open or over.
func terminalOf(ctx context.Context, b Board, past Past, order string) (string, error) {
	for _, e := range b.Active() {
		if e.Order == order {
			return e.Terminal, nil
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

func (p *Page) course(ref board.Ref, log payment.Log, notes []Noted) console.Course {
	s := board.EntryOf(ref, log).Session()
	c := console.Course{
		Terminal: ref.Terminal, Order: ref.Order, SessionID: s.SessionID, TransactionID: s.TransactionID,
		Status: s.Status, Financial: s.FinancialStatus, Final: s.Final,
		Amount: cmp.Or(s.AmountCharged, s.Amount), Currency: s.Currency, Started: s.StartedAt,
	}
	refused := len(log.Statuses) == 0 && (log.Claim == nil || log.Claim.Phase == payment.ClaimClosed)
	switch {
	case refused:
		c.Status = "refused"
	case s.Active:
		c.Replica, c.Stream = s.Replica, stream(notes)
	}
	c.Steps = p.steps(c.Started, log.Statuses, notes)
	c.Note = p.courseNote(c, notes)
	return c
}

// steps puts the statuses and what this replica remembers into one order.
func (p *Page) steps(started time.Time, statuses []payment.Status, notes []Noted) []console.Step {
	var all []console.Step
	if !started.IsZero() {
		all = append(all, console.Step{Kind: console.StepActivity, At: started, Text: "Start accepted"})
	}
	measured := map[uint64]time.Duration{}
	here := false // taken over by this replica, which remembers how
	for _, n := range notes {
		if n.Kind == payment.NoteStatus {
			if n.Event != nil && n.Event.Source == schema.SourceStream {
				measured[n.Event.Sequence] = n.At.Sub(n.Event.ObservedAt)
			}
			continue
		}
		step := console.Step{Kind: kindOf(n.Kind), At: n.At, Text: textOf(n.Note)}
		here = here || step.Kind == console.StepTakeover
		if n.Count > 1 {
			step.Count, step.Until = n.Count, n.Until
		}
		all = append(all, step)
	}
	before := ""
	for _, s := range statuses {
		if before != "" && s.Replica != before && (s.Replica != p.opts.Replica || !here) {
			all = append(all, console.Step{Kind: console.StepTakeover, At: s.Event.ObservedAt, Text: s.Replica + " continues instead of " + before})
		}
		before = s.Replica
		all = append(all, statusStep(s, measured[s.Event.Sequence]))
	}
	slices.SortStableFunc(all, func(a, b console.Step) int { return a.At.Compare(b.At) })
	return all
}

// kindOf is how a note is shown.
func kindOf(k payment.NoteKind) string {
	switch k {
	case payment.NoteTookOver, payment.NoteTakenOn:
		return console.StepTakeover
	case payment.NoteTrouble, payment.NoteFailed, payment.NoteInvalid, payment.NoteRefused, payment.NoteWithdrawn:
		return console.StepTrouble
	}
	return console.StepActivity
}

// textOf says in words what happened.
func textOf(n payment.Note) string {
	switch n.Kind {
	case payment.NoteInvalid:
		return "The bridge did not understand an event: " + n.Text
	case payment.NoteAnswer, payment.NoteNews:
		return "Asked the provider: " + n.Text
	case payment.NoteTrouble:
		if words, ok := streamEnds[n.Text]; ok {
			return words
		}
	case payment.NoteFailed:
		return "The order could not be created yet: " + n.Text
	case payment.NoteRefused:
		return "The start was refused: " + n.Text
	}
	return upper(n.Text)
}

// streamEnds are the words for why a connection to an event stream ended; all
// others are shown as they are.
var streamEnds = map[string]string{
	streamEnd + multisafepay.ReasonEnded:       "The provider ended the event stream; connecting again",
	streamEnd + multisafepay.ReasonIdle:        "The event stream sent nothing for too long; connecting again",
	streamEnd + multisafepay.ReasonRefused:     "The provider refuses the events token; the bridge asks for the order instead",
	streamEnd + multisafepay.ReasonHost:        "The event stream is on a host that must not receive the token; the bridge asks for the order instead",
	streamEnd + multisafepay.ReasonTooLarge:    "An event was too large to be read; connecting again",
	streamEnd + multisafepay.ReasonStatus:      "The provider answered with no event stream; connecting again",
	streamEnd + multisafepay.ReasonRedirect:    "The provider answered with no event stream; connecting again",
	streamEnd + multisafepay.ReasonContentType: "The provider answered with no event stream; connecting again",
	streamEnd + multisafepay.ReasonTransport:   "The connection of the event stream broke; connecting again",
}

// upper begins a text with a capital.
func upper(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// statusStep is a status event. Its latency is what this replica measured, or else
// the time between two clocks, the replica's and the NATS server's.
func statusStep(s payment.Status, measured time.Duration) console.Step {
	e := s.Event
	step := console.Step{
		Kind: console.StepStatus, At: e.ObservedAt, Status: e.Status, Source: e.Source,
		Sequence: e.Sequence, Final: e.Final, Replica: s.Replica,
	}
	if took := cmp.Or(measured, s.At.Sub(e.ObservedAt)); took > 0 {
		ms := float64(took.Microseconds()) / 1000
		step.Latency = &ms
	}
	return step
}

// courseNote says what the course may lack.
func (p *Page) courseNote(c console.Course, notes []Noted) string {
	here := p.opts.Replica
	switch {
	case !c.Final && c.Replica != "" && c.Replica != here:
		return "Only the replica that follows a payment remembers its reconnects and reconciles. This page comes from " +
			here + ", but the payment is followed by " + c.Replica + ". The statuses are complete."
	case len(notes) == 0:
		return here + ", which serves this page, did not follow this payment, or has forgotten: reconnects and reconciles are not shown. The statuses are complete."
	}
	return ""
}
