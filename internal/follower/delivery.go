package follower

import (
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/payment"
)

// Deliver takes a session from the queue. It returns at once.
func (f *Follower) Deliver(d bus.Delivery) {
	f.post(func() {
		ref := refOf(d.Session)
		a := f.actors[ref]
		switch {
		case a != nil:
		case f.draining:
			f.giveBack(d.Handle)
			return
		case f.failures.pausing(ref, f.opts.Bus.Now()):
			return // it is delivered again, to whoever is there then
		}
		session := sessionOf(d, f.opts.StartDeadline)
		place := payment.Place{Seq: d.Seq, Handle: d.Handle, Delivered: d.Delivered, LogCreated: f.opts.Bus.StatusCreated()}
		if a == nil {
			a = f.begin(ref, session, place)
		}
		f.step(a, payment.Delivered{Place: place, Session: session})
	})
}

// sessionOf is the session of a delivery. Its times are those of NATS.
func sessionOf(d bus.Delivery, startDeadline time.Duration) payment.Session {
	s := d.Session
	if latest := d.StoredAt.Add(startDeadline); s.Deadline.IsZero() || s.Deadline.After(latest) {
		s.Deadline = latest // else the request had waited before it was queued
	}
	if s.StartedAt.IsZero() { // else it was queued again
		s.StartedAt = d.StoredAt
	}
	return s
}
