package client

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// errNotOurs says that a message is not what its subject says.
var errNotOurs = errors.New("a message on a status subject is not a status event of the bridge's")

// shower tells updates, each status once and in order. It belongs to the goroutine of
// its Following.
type shower struct {
	space   subjects.Space
	ledger  ledger
	updates chan Update
}

// tell hands an update over. It fails only with the context's cause.
func (s *shower) tell(ctx context.Context, u Update) error {
	select {
	case s.updates <- u:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// show tells a status unless it was told before.
func (s *shower) show(ctx context.Context, u Status) error {
	key := orderKey(u.TerminalID, u.OrderID)
	v, last := s.ledger.judge(key, u.Sequence)
	switch v {
	case repeat:
		return nil
	case gap:
		u.Missed = u.Sequence - last - 1
	}
	s.ledger.enter(key, u.Sequence)
	return s.tell(ctx, u)
}

// take shows any message that is stored or published for an order.
func (s *shower) take(ctx context.Context, subject string, data []byte) error {
	e, err := readStatus(s.space, subject, data)
	if err != nil {
		return s.other(ctx, subject, data, err)
	}
	return s.show(ctx, Status{StatusEvent: e, Body: data})
}

// other takes a message that is no status event.
func (s *shower) other(ctx context.Context, subject string, data []byte, problem error) error {
	var e schema.InvalidEvent
	terminal, order, kind, err := s.space.Parse(subject)
	if err == nil && kind == subjects.Claim {
		return nil // the bridge's own record of an order
	}
	if err == nil && kind == subjects.Invalid && json.Unmarshal(data, &e) == nil && e.TerminalID == terminal && e.OrderID == order {
		problem = nil
	}
	key := contentKey(data)
	if v, _ := s.ledger.judge(key, 1); v == repeat { // seen live, and now in the stream
		return nil
	}
	s.ledger.enter(key, 1)
	if problem != nil {
		return s.tell(ctx, Trouble{problem})
	}
	return s.tell(ctx, Invalid{e, data})
}

// readStatus reads a status event and compares it with its subject.
func readStatus(space subjects.Space, subject string, data []byte) (schema.StatusEvent, error) {
	var e schema.StatusEvent
	terminal, order, kind, err := space.Parse(subject)
	if err != nil || kind != subjects.Status {
		return e, errNotOurs
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return e, errNotOurs
	}
	if e.TerminalID != terminal || e.OrderID != order || e.Sequence == 0 || e.Status == "" {
		return e, errNotOurs
	}
	return e, nil
}

// answered is the status that the bridge's answer to get stands for.
func answered(s schema.Session, body []byte) Status {
	return Status{
		StatusEvent: schema.StatusEvent{
			OrderID: s.OrderID, TerminalID: s.TerminalID, SessionID: s.SessionID, TransactionID: s.TransactionID,
			Status: s.Status, FinancialStatus: s.FinancialStatus, Final: s.Final, Sequence: s.Sequence,
			Source: schema.SourceReconcile, Amount: s.Amount, AmountCharged: s.AmountCharged, Currency: s.Currency,
			ObservedAt: s.UpdatedAt,
		},
		Body:  body,
		Asked: true,
	}
}
