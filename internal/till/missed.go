package till

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// fill shows what is missing of an order before sequence, as far as the stream
// has it. It fails only with the context's cause.
func (f *Following) fill(ctx context.Context, terminal, order string, sequence uint64) error {
	wait := time.NewTimer(0)
	defer wait.Stop()
	for range gapTries {
		select {
		case <-wait.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		readable, err := f.readOrder(ctx, terminal, order, since{sequence: 1}, sequence)
		if err != nil {
			return err
		}
		if v, _ := f.ledger.judge(orderKey(terminal, order), sequence); v != gap || !readable {
			return nil
		}
		wait.Reset(gapWait)
	}
	return nil
}

// readOrder shows what the stream has of an order before sequence, from from
// on, and tells whether it could be read. It fails only with the context's cause.
func (f *Following) readOrder(ctx context.Context, terminal, order string, from since, sequence uint64) (readable bool, err error) {
	filter := Filter{terminal, order}.subject(f.till.settings.Space, subjects.Status)
	_, err = f.till.read(ctx, filter, from, func(m stored) error {
		if e, problem := f.statusOf(m.subject, m.data); problem == nil && e.Sequence < sequence {
			return f.take(ctx)(m)
		}
		return nil
	})
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	f.denied = f.denied || f.isDenied(err)
	return err == nil, nil // what is missing is told as missed
}

// catchUp shows what was missed: from the stream, and for the one order that
// began with this Following, from the bridge.
func (f *Following) catchUp(ctx context.Context) error {
	if !f.denied {
		last, err := f.till.read(ctx, f.filter(), f.seen, f.take(ctx))
		if last > 0 {
			f.seen = since{sequence: last + 1}
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case f.isDenied(err):
			f.denied = true
		case err != nil && !errors.Is(err, errNoHistory) && !errors.Is(err, ErrAway):
			if err := f.tell(ctx, TroubleUpdate{err}); err != nil {
				return err
			}
		}
	}
	if f.options.FromStart {
		return f.ask(ctx)
	}
	return nil
}

// ask asks the bridge for the one order, and lets its answer stand for events
// that were missed and that the stream did not give.
func (f *Following) ask(ctx context.Context) error {
	session, body, err := f.till.Get(ctx, f.options.Terminal, f.options.Order)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if refused, ok := errors.AsType[*RefusedError](err); ok && refused.Reply.Code == schema.NotFound {
		return f.tell(ctx, UnknownUpdate{})
	}
	if err != nil {
		if errors.Is(err, ErrAway) || errors.Is(err, ErrClosed) {
			return nil // the link's own update tells
		}
		return f.tell(ctx, TroubleUpdate{err})
	}
	if session.TerminalID != f.options.Terminal || session.OrderID != f.options.Order {
		return f.tell(ctx, TroubleUpdate{fmt.Errorf("ask for the order: %w", ErrBadReply)})
	}
	key := orderKey(session.TerminalID, session.OrderID)
	if v, _ := f.ledger.judge(key, session.Sequence); session.Sequence == 0 || v == repeat {
		return nil
	}
	if !f.denied { // published after the stream was read: it has the event itself
		if err := f.fill(ctx, session.TerminalID, session.OrderID, session.Sequence+1); err != nil {
			return err
		}
	}
	v, last := f.ledger.judge(key, session.Sequence)
	if v == repeat {
		return nil
	}
	if v == gap {
		if err := f.tell(ctx, MissedUpdate{session.TerminalID, session.OrderID, last + 1, session.Sequence - 1}); err != nil {
			return err
		}
	}
	f.ledger.enter(key, session.Sequence)
	return f.tell(ctx, SessionUpdate{session, body})
}
