package bridge

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/telemetry"
)

// redeliver hands a session that is followed here its new handle. It is called
// by whoever takes sessions from the queue.
func (s *session) redeliver(d bus.Delivery) {
	s.mu.Lock()
	s.again = &d
	s.mu.Unlock()
	wake(s.nudged)
}

// takeRedelivery returns a redelivery that was not looked at yet.
func (s *session) takeRedelivery() (bus.Delivery, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.again == nil {
		return bus.Delivery{}, false
	}
	d := *s.again
	s.again = nil
	return d, true
}

// attend does the work that every session needs at any time, for as long as
// something is waited for: it keeps the session alive, takes a new handle when
// the session is handed over again, and notices that another replica has it. It
// fails when the session must be left before done has brought anything.
func attend[T any](ctx context.Context, s *session, done <-chan T) (value T, err error) {
	for {
		select {
		case value = <-done:
			return value, nil
		case <-s.beat.C:
			s.keepAlive()
		case <-s.nudged:
			s.look()
		case <-s.deadline:
			s.answerUnknown()
		case <-ctx.Done():
			return value, errStopped
		}
		if s.leaving != nil {
			return value, s.leaving
		}
	}
}

// during runs one call to the provider and waits for it. The call is not cut
// short when the session is lost meanwhile: what it did must be known.
func during[T any](ctx context.Context, s *session, call func(context.Context) (T, error)) (T, error) {
	done := beside(ctx, s, call)
	o, err := attend(ctx, s, done)
	if err != nil { // the outcome stands, the loss is met at the next write
		o = <-done
	}
	return o.value, o.err
}

// await runs one operation on the bus and waits for it. It is repeated while its
// errors may pass, and given up when the session must be left.
func await[T any](ctx context.Context, s *session, operation func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	o, err := attend(ctx, s, beside(ctx, s, func(ctx context.Context) (T, error) { return persist(ctx, s.Replica, operation) }))
	if err != nil {
		return o.value, err
	}
	return o.value, o.err
}

// await1 is await for an operation that brings nothing but its error.
func await1(ctx context.Context, s *session, operation func(context.Context) error) error {
	_, err := await(ctx, s, func(ctx context.Context) (struct{}, error) { return struct{}{}, operation(ctx) })
	return err
}

// outcome is what an operation beside the session brought.
type outcome[T any] struct {
	value T
	err   error
}

// beside starts an operation in a goroutine that the replica waits for.
func beside[T any](ctx context.Context, s *session, operation func(context.Context) (T, error)) <-chan outcome[T] {
	done := make(chan outcome[T], 1)
	s.wg.Go(func() {
		value, err := operation(ctx)
		done <- outcome[T]{value, err}
	})
	return done
}

// pause waits, attending. It ends early, without an error, when this replica
// drains.
func (s *session) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	waited := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.wg.Go(func() {
		select {
		case <-timer.C:
		case <-s.draining:
		case <-ctx.Done():
		}
		waited <- struct{}{}
	})
	_, err := attend(ctx, s, waited)
	return err
}

// keepAlive beats. After a pause that was longer than a replica may be silent
// the session may be another's.
func (s *session) keepAlive() {
	now := time.Now()
	s.unsure = s.unsure || now.Sub(s.beaten) > s.ReplicaTTL
	s.beaten = now
	s.alive.Store(int64(s.age()))
	if s.over || s.released {
		return
	}
	if err := s.handle.InProgress(); err != nil {
		s.log.Debug("The session could not be kept alive just now", zap.Error(err))
	}
}

// move gives the session its place in a queue that was made anew.
func (s *session) move(seq uint64) {
	s.mu.Lock()
	s.moved = seq
	s.mu.Unlock()
	wake(s.nudged)
}

// place takes the session's place in the queue; when it is a new one, the record
// is to be written with it.
func (s *session) place(seq uint64) {
	if seq == s.seq {
		return
	}
	s.lostSeq, s.seq = s.seq, seq
	s.atPlace()
	s.log.Info("The session has a new place in the queue")
}

// atPlace has a record of this session's own that tells its lost place tell the
// present one.
func (s *session) atPlace() {
	if s.lostSeq != 0 && s.held.record.Seq == s.lostSeq {
		s.held.record.Seq, s.held.lost = s.seq, s.lostSeq
		s.unwritten.Store(true)
		wake(s.nudged)
	}
}

// look sees what the session was nudged for.
func (s *session) look() {
	s.mu.Lock()
	moved := s.moved
	s.moved = 0
	s.mu.Unlock()
	if moved != 0 {
		s.place(moved)
	}
	if d, ok := s.takeRedelivery(); ok && s.over { // queued anew while it was being unlocked
		s.take(d)
	} else if ok && d.Seq >= s.seq {
		s.handle = d.Handle
		s.place(d.Seq)
		if s.released { // nobody else is there to take it; it is not kept alive
			s.log.Debug("The released session came back")
		}
	}
	record, revision, ok := s.board.of(s.terminal)
	if s.over || !ok || s.held.revision == 0 || revision <= s.held.revision {
		return
	}
	there := held{record: record, revision: revision}
	if s.lostSeq != 0 && record.Seq == s.lostSeq { // not written with the new place yet
		there.record.Seq, there.lost = s.seq, s.lostSeq
	}
	switch {
	case there.sameClaim(s.held):
		s.held = there
	case !s.released:
		s.log.Debug("The record names another replica", zap.String(telemetry.KeyOwner, record.Replica))
		s.leaving = errLost
	case record.Seq != s.seq || record.Stream == streamConnected || record.Stream == streamPolling:
		s.leaving = errHandedOver // the successor reads; until then two do
	}
}
