package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

const (
	// gapTries is how often a missing event is looked for: a replica of the stream may
	// lag behind what was already published.
	gapTries = 4
	// gapPatience is how often, if the stream cannot be read at present.
	gapPatience = 50
	// gapWait lies between the tries.
	gapWait = 100 * time.Millisecond
)

// seeker finds what was missed: in the stream, and for one order by asking the bridge.
// It belongs to the goroutine of its Following.
type seeker struct {
	client *Client
	shower *shower
	filter Filter
	// fromStart: the one order of the filter is followed from its first status on.
	fromStart bool
	// seen: everything before it in the stream was shown.
	seen since
	// denied: the user may not read the stream.
	denied bool
	// absent: the stream was not there when it was last looked for.
	absent bool
}

// subject matches, in the stream, everything that is subscribed to.
func (s *seeker) subject() string { return s.filter.subject(s.client.space, "*") }

// begin finds the place in the stream from which on everything is shown. With a replay
// it fails when the stream cannot be read.
func (s *seeker) begin(ctx context.Context, replay time.Time) error {
	switch {
	case !replay.IsZero():
		s.seen = since{at: replay}
		_, err := s.client.lastStored(ctx, s.subject())
		return err
	case s.fromStart:
		s.seen = since{sequence: 1}
		return nil
	}
	s.seen = since{at: time.Now()} // unless the stream tells its end
	last, err := s.client.lastStored(ctx, s.subject())
	if err == nil {
		s.seen = since{sequence: last + 1}
	}
	s.note(err)
	return nil
}

// note notes what came of reading the stream.
func (s *seeker) note(err error) {
	s.denied = isDenied(err)
	s.absent = errors.Is(err, ErrNoStream)
}

// look sees again whether the stream can be read. blind: it cannot.
func (s *seeker) look(ctx context.Context) (blind bool) {
	_, err := s.client.lastStored(ctx, s.subject())
	s.note(err)
	return s.denied || s.absent
}

func isDenied(err error) bool {
	_, denied := errors.AsType[*DeniedError](err)
	return denied
}

// before shows what should have come before a live status. It fails only with the
// context's cause.
func (s *seeker) before(ctx context.Context, e schema.StatusEvent) error {
	if s.denied {
		return nil
	}
	v, _ := s.shower.ledger.judge(orderKey(e.TerminalID, e.OrderID), e.Sequence)
	if v == gap {
		return s.fill(ctx, e.TerminalID, e.OrderID, e.Sequence)
	}
	if _, known := s.shower.ledger.last(orderKey(e.TerminalID, e.OrderID)); !known && e.Sequence > 1 {
		// The order may have begun while the connection was away.
		_, err := s.readOrder(ctx, e.TerminalID, e.OrderID, s.seen, e.Sequence)
		return err
	}
	return nil
}

// fill shows what is missing of an order before sequence, as far as the stream has it.
// It fails only with the context's cause.
func (s *seeker) fill(ctx context.Context, terminal, order string, sequence uint64) error {
	wait := time.NewTimer(0)
	defer wait.Stop()
	absent := s.absent
	read := 0
	for range gapPatience {
		select {
		case <-wait.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		readable, err := s.readOrder(ctx, terminal, order, since{sequence: 1}, sequence)
		if err != nil {
			return err
		}
		if readable {
			read++
		}
		v, _ := s.shower.ledger.judge(orderKey(terminal, order), sequence)
		if v != gap || read == gapTries || s.denied || absent && s.absent {
			return nil
		}
		wait.Reset(gapWait)
	}
	return nil
}

// readOrder shows what the stream has of an order before sequence, from from on, and
// tells whether it could be read. It fails only with the context's cause.
func (s *seeker) readOrder(ctx context.Context, terminal, order string, from since, sequence uint64) (readable bool, err error) {
	filter := Filter{terminal, order}.subject(s.client.space, subjects.Status)
	_, err = s.client.read(ctx, filter, from, func(m stored) error {
		if e, problem := readStatus(s.client.space, m.subject, m.data); problem == nil && e.Sequence < sequence {
			return s.shower.take(ctx, m.subject, m.data)
		}
		return nil
	})
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	s.note(err)
	return err == nil, nil // what is missing is told with the status after it
}

// catchUp shows what was missed: from the stream, and for an order that is followed
// from its start, from the bridge. It fails only with the context's cause.
func (s *seeker) catchUp(ctx context.Context) error {
	if !s.denied {
		last, err := s.client.read(ctx, s.subject(), s.seen, func(m stored) error {
			return s.shower.take(ctx, m.subject, m.data)
		})
		if last > 0 {
			s.seen = since{sequence: last + 1}
		}
		s.note(err)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case s.denied, s.absent:
		case err != nil && !errors.Is(err, ErrAway) && !errors.Is(err, ErrClosed):
			if err := s.shower.tell(ctx, Trouble{err}); err != nil {
				return err
			}
		}
	}
	if s.fromStart {
		return s.ask(ctx)
	}
	return nil
}

// ask asks the bridge for the one order, and lets its answer stand for statuses that
// were missed and that the stream did not give.
func (s *seeker) ask(ctx context.Context) error {
	request := schema.OrderRequest{TerminalID: s.filter.Terminal, OrderID: s.filter.Order}
	body, err := s.client.send(ctx, subjects.Get, s.filter.Terminal, request)
	var session schema.Session
	if err == nil && (json.Unmarshal(body, &session) != nil || session.TerminalID != request.TerminalID || session.OrderID != request.OrderID) {
		err = fmt.Errorf("ask for the order: %w", ErrBadReply)
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, ErrNotFound):
		return s.shower.tell(ctx, Unknown{request.TerminalID, request.OrderID})
	case errors.Is(err, ErrAway), errors.Is(err, ErrClosed):
		return nil // the link's own update tells
	case err != nil:
		return s.shower.tell(ctx, Trouble{err})
	}
	key := orderKey(session.TerminalID, session.OrderID)
	if v, _ := s.shower.ledger.judge(key, session.Sequence); session.Sequence == 0 || v == repeat {
		return nil
	}
	if !s.denied { // published after the stream was read: it has the event itself
		if err := s.fill(ctx, session.TerminalID, session.OrderID, session.Sequence+1); err != nil {
			return err
		}
	}
	return s.shower.show(ctx, answered(session, body))
}
