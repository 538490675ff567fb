package bridge

import (
	"context"
	"errors"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/telemetry"
)

// held is a terminal's record as this replica last saw it, and the revision at
// which it stands. The zero record with a revision is a key without a record.
type held struct {
	record   bus.Record
	revision uint64
	// lost is the place in a lost queue that the bucket may still tell in place of
	// the record's, 0 for none.
	lost uint64
}

// sameClaim reports whether h stands under the claim under which own was
// written: the same session, the same epoch, the same replica, or nobody once
// that replica has released the session.
func (h held) sameClaim(own held) bool {
	return (h.record.Seq == own.record.Seq || own.lost != 0 && h.record.Seq == own.lost) && h.record.Epoch == own.record.Epoch &&
		(h.record.Replica == own.record.Replica || h.record.Replica == "")
}

// readRecord reads a terminal's record from the bucket's leader. One that cannot
// be read counts as none: the next claim writes over it.
func (r *Replica) readRecord(ctx context.Context, terminal string) (held, error) {
	record, revision, err := r.Records.Record(ctx, terminal)
	if errors.Is(err, bus.ErrNotFound) {
		if err != bus.ErrNotFound { //nolint:errorlint // wrapped: there is something, and no bridge wrote it
			r.Log.Warn("A record is not one that a bridge wrote; it counts as none", zap.String(telemetry.KeyTerminal, terminal), zap.Error(err))
		}
		return held{revision: revision}, nil
	}
	return held{record: record, revision: revision}, err
}

// claimRecord writes the first record of a claim. bus.ErrConflict: something
// else was written in between. Another error leaves it unknown; reading tells.
func (r *Replica) claimRecord(ctx context.Context, terminal string, claim held) (held, error) {
	claim.record.UpdatedAt = r.Clock.Now()
	revision, err := r.Records.PutRecord(ctx, terminal, claim.record, claim.revision)
	if err != nil {
		return claim, err
	}
	claim.revision = revision
	r.board.wrote(bus.RecordChange{Terminal: terminal, Record: &claim.record, Revision: revision})
	return claim, nil
}

// changeRecord writes a change to a record that this replica has claimed. When
// something else stands there it is read: what was written under the same claim
// (a note left by a command, or this very write, whose answer was lost) is
// changed again; everything else is errLost. Another error leaves it unknown
// whether the change was written; the call may be repeated.
func (r *Replica) changeRecord(ctx context.Context, terminal string, h held, change func(*bus.Record)) (held, error) {
	for {
		next := h
		change(&next.record)
		next, err := r.claimRecord(ctx, terminal, next)
		if err == nil {
			return next, nil
		}
		if !errors.Is(err, bus.ErrConflict) {
			return h, err
		}
		there, err := r.readRecord(ctx, terminal)
		if err != nil {
			return h, err
		}
		switch {
		case there.sameClaim(h):
			there.record.Seq, there.lost = h.record.Seq, h.lost
			h = there
		case there.record.Seq != 0:
			return h, errLost
		default: // there is no record: the session is over, or the bucket was lost
			if err := r.stillOpen(ctx, terminal, h.record); err != nil {
				return h, err
			}
			h.revision = there.revision
		}
	}
}

// stillOpen fails with errLost when the session of a record that is gone is over:
// its final status is published before the record is deleted, and a refused one
// leaves the queue before.
func (r *Replica) stillOpen(ctx context.Context, terminal string, record bus.Record) error {
	last, err := r.Journal.Last(ctx, terminal, record.Order)
	if err == nil && last.Event.Final {
		return errLost
	}
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		return err
	}
	_, seq, err := r.Queue.Queued(ctx, terminal)
	if errors.Is(err, bus.ErrNotFound) || err == nil && seq != record.Seq {
		if remade, err := r.Queue.Remade(ctx, record.Seq); remade || err != nil {
			return err // it has no place in the queue any more, and is about to get a new one
		}
		return errLost
	}
	return err
}

// claimedBy fails with errLost when what was read of a terminal's record says that
// h is another replica's, or over. A record that is gone says neither: the bucket
// itself may have been lost, and then its follower is about to write it anew.
func (r *Replica) claimedBy(ctx context.Context, terminal string, there, h held) error {
	switch {
	case there.sameClaim(h):
		return nil
	case there.record.Seq == 0:
		return r.stillOpen(ctx, terminal, h.record)
	}
	return errLost
}

// dropRecord deletes a record that this replica has claimed. errLost: another
// replica has claimed it since.
func (r *Replica) dropRecord(ctx context.Context, terminal string, h held) error {
	for {
		err := r.Records.DeleteRecord(ctx, terminal, h.revision)
		if err == nil {
			r.board.wrote(bus.RecordChange{Terminal: terminal, Revision: h.revision + 1})
			return nil
		}
		if !errors.Is(err, bus.ErrConflict) {
			return err
		}
		there, err := r.readRecord(ctx, terminal)
		switch {
		case err != nil:
			return err
		case there.sameClaim(h):
			h = there
		case there.record.Seq != h.record.Seq: // deleted before, maybe by this very call
			return nil
		default:
			return errLost
		}
	}
}
