package commands

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/posbridge/bridge/internal/board"
	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/schema"
)

const (
	// joinSlice is how long a joiner waits before it looks at the queue again.
	joinSlice = 500 * time.Millisecond
	// firstLook and nextLook are how long the requester of a queued session waits
	// for its claim before the queue is looked at.
	firstLook = 250 * time.Millisecond
	nextLook  = time.Second
	// ownerGrace is how long after the deadline, or after a stop, whoever follows a
	// session may still answer.
	ownerGrace = 500 * time.Millisecond
)

// join waits a while for what comes of the session of an earlier request.
func (s *starts) join(st starting, queued bus.Delivery) verdict {
	v, _, _ := s.joins.Do(fmt.Sprint(st.Ref, st.session.Hash, queued.Seq), func() (any, error) {
		// It is for all who wait, so it ends with none of them.
		ctx, cancel := context.WithTimeout(s.stopping, joinSlice)
		defer cancel()
		changed, stop := s.Board.Changes(st.Ref)
		defer stop()
		for { // listens first, reads second
			if v, at := s.judge(ctx, st, queued); v.err == nil && at != pending && at != absent {
				return v, nil
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return verdict{joined: true}, nil
			}
		}
	})
	return v.(verdict)
}

// awaitOwner waits until whoever follows a queued session has answered, and returns
// the answer if nobody has by the deadline.
func (s *starts) awaitOwner(ctx context.Context, st starting, seq uint64) *schema.Error {
	st.from.queued() // from here on the queue bounds the terminal's sessions
	claimed := func(e board.Entry) bool { return e.Claim.QueueSeq >= seq }
	settled := func(e board.Entry) bool { return claimed(e) && e.Claim.Phase != payment.ClaimCreating }
	for look := firstLook; ctx.Err() == nil; look = nextLook {
		if s.awaitWithin(ctx, look, st.Ref, settled) {
			return nil
		}
		queued, err := s.Bus.Queued(ctx, st.Terminal)
		if errors.Is(err, bus.ErrNotFound) || err == nil && queued.Seq != seq {
			return nil // it was answered from the order's log, or unlocked
		}
	}
	until := settled
	if s.stopping.Err() != nil {
		until = claimed // its owner, or the next one, answers
	}
	if s.awaitWithin(context.WithoutCancel(ctx), ownerGrace, st.Ref, until) {
		return nil
	}
	return startOverdue.answer()
}

func (s *starts) awaitWithin(ctx context.Context, limit time.Duration, ref board.Ref, holds func(board.Entry) bool) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return s.Board.Await(ctx, ref, holds) == nil
}
