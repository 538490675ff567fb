package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/posbridge/bridge/subjects"
)

// Stored is a status as it stands in the stream.
type Stored struct {
	Status
	// At is when the stream's leader stored it, by the leader's clock.
	At time.Time
}

// Course returns the statuses of one order with the times at which they were
// stored, in order. None is no error.
func (b *Bus) Course(ctx context.Context, terminal, order string) ([]Stored, error) {
	subject, err := b.space.Of(terminal, order, subjects.Status)
	if err != nil {
		return nil, err
	}
	return b.storedAfter(ctx, subject, 0, maxSince)
}

// Recent returns the statuses of all orders that stand after a sequence of the
// stream, in order, at most limit. It asks for one after the other: it is for
// people who look, not for following everything.
func (b *Bus) Recent(ctx context.Context, after uint64, limit int) ([]Stored, error) {
	return b.storedAfter(ctx, b.space.All(subjects.Status), after, limit)
}

// TerminalOf finds the terminal that an order was last on, or ErrNotFound.
func (b *Bus) TerminalOf(ctx context.Context, order string) (string, error) {
	if err := subjects.CheckOrder(order); err != nil {
		return "", err
	}
	subject := b.space.Prefix() + ".*." + subjects.OrderToken(order) + "." + string(subjects.Status)
	msg, header, err := b.lastOf(ctx, b.space.StatusStream(), subject)
	if err != nil {
		return "", err
	}
	s, err := readStatus(msg.Subject, msg, header)
	return s.Event.TerminalID, err
}

// StatusesRevision returns the sequence of the latest message of the status
// stream.
func (b *Bus) StatusesRevision(ctx context.Context) (uint64, error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	s, err := b.js.Stream(ctx, b.space.StatusStream())
	if err != nil {
		return 0, fmt.Errorf("look at stream %s: %w", b.space.StatusStream(), err)
	}
	return s.CachedInfo().State.LastSeq, nil
}

// storedAfter reads from the stream's leader. What no bridge wrote is skipped.
func (b *Bus) storedAfter(ctx context.Context, subject string, after uint64, limit int) ([]Stored, error) {
	var statuses []Stored
	for range limit {
		msg, header, err := b.nextOf(ctx, b.space.StatusStream(), subject, after+1)
		if errors.Is(err, ErrNotFound) {
			break
		}
		if err != nil {
			return statuses, err
		}
		after = msg.Seq
		if s, err := readStatus(msg.Subject, msg, header); err == nil {
			statuses = append(statuses, Stored{s, msg.Time})
		}
	}
	return statuses, nil
}
