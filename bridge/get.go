package bridge

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/schema"
)

// Get tells what is known of one order, open or over.
func (r *Replica) Get(ctx context.Context, request schema.OrderRequest) (*schema.Session, *schema.Error) {
	ctx, cancel := context.WithTimeout(ctx, r.RequestTimeout)
	defer cancel()
	f, failure := r.find(ctx, request)
	if failure != nil {
		return nil, failure
	}
	if !f.known {
		return nil, schema.NewError(schema.NotFound, "order %s is not known on terminal %s", request.OrderID, request.TerminalID)
	}
	s := sessionOf(request.TerminalID, f)
	return &s, nil
}

// List tells of the active sessions, ordered by terminal.
func (r *Replica) List(ctx context.Context) (*schema.ListReply, *schema.Error) {
	ctx, cancel := context.WithTimeout(ctx, r.RequestTimeout)
	defer cancel()
	err := r.syncBoard(ctx)
	if err == nil {
		var sessions []schema.Session
		if sessions, err = r.activeSessions(ctx); err == nil {
			return &schema.ListReply{Sessions: sessions}, nil
		}
	}
	r.Log.Warn("The sessions could not be listed", zap.Error(err))
	return nil, schema.NewError(schema.OutcomeUnknown, "JetStream did not answer in time; send the same request again")
}

// watchPatience is how long the watch of the records may lag before it is begun
// anew: after a server's restart it may be silent for many seconds.
const watchPatience = 500 * time.Millisecond

// syncBoard waits until the board knows everything that was written before.
func (r *Replica) syncBoard(ctx context.Context) error {
	revision, err := persist(ctx, r, r.Records.RecordsRevision)
	if err != nil {
		return err
	}
	patient, cancel := context.WithTimeout(ctx, watchPatience)
	defer cancel()
	if err := r.board.sync(patient, revision); err == nil || ctx.Err() != nil {
		return err
	}
	wake(r.rewatch)
	return r.board.sync(ctx, revision)
}

// activeSessions reads every open session's last status: the board says which
// there are, the stream says how they stand.
func (r *Replica) activeSessions(ctx context.Context) ([]schema.Session, error) {
	records := r.board.all()
	sessions := make([]schema.Session, 0, len(records))
	results := make(chan schema.Session, len(records))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for terminal, record := range records {
		if record.Phase == bus.Refused {
			continue
		}
		group.Go(func() error {
			last, err := persist(ctx, r, func(ctx context.Context) (bus.Status, error) {
				return r.Journal.Last(ctx, terminal, record.Order)
			})
			if err != nil && !errors.Is(err, bus.ErrNotFound) {
				return err
			}
			f := found{known: true, last: last, final: last.Event.Final, record: held{record: record, revision: 1}}
			if !f.final {
				results <- sessionOf(terminal, f)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	close(results)
	for s := range results {
		sessions = append(sessions, s)
	}
	slices.SortFunc(sessions, func(a, b schema.Session) int { return cmp.Compare(a.TerminalID, b.TerminalID) })
	return sessions, nil
}

// sessionOf puts together what the status stream and the record say.
func sessionOf(terminal string, f found) schema.Session {
	var s schema.Session
	switch {
	case f.record.revision > 0:
		rec := f.record.record
		s = schema.Session{
			OrderID: rec.Order, SessionID: rec.SessionID, Amount: rec.Amount, Currency: rec.Currency,
			Replica: rec.Replica, StartedAt: rec.StartedAt, UpdatedAt: rec.UpdatedAt,
		}
	case f.last.Seq == 0:
		q := f.queued
		s = schema.Session{OrderID: q.Order(), Amount: q.Request.Amount, Currency: q.Request.Currency, StartedAt: q.StartedAt, UpdatedAt: q.StartedAt}
	}
	if e := f.last.Event; f.last.Seq > 0 {
		s.OrderID, s.SessionID = e.OrderID, orElse(e.SessionID, s.SessionID)
		s.Status, s.FinancialStatus, s.TransactionID = e.Status, e.FinancialStatus, e.TransactionID
		s.Final, s.Sequence, s.Amount, s.Currency = e.Final, e.Sequence, e.Amount, e.Currency
		s.Replica, s.StartedAt, s.UpdatedAt = orElse(s.Replica, f.last.Replica), f.last.StartedAt, e.ObservedAt
	}
	s.TerminalID = terminal
	s.Status = shownStatus(s.Status)
	s.Active = !f.final
	return s
}
