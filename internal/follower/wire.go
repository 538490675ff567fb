package follower

import (
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/payment"
)

// sessionOf is the session of a delivery. Its times are those of NATS.
func sessionOf(d bus.Delivery, startDeadline time.Duration) payment.Session {
	s := payment.Session(d.Session)
	if latest := d.StoredAt.Add(startDeadline); s.Deadline.IsZero() || s.Deadline.After(latest) {
		s.Deadline = latest // else the request had waited before it was queued
	}
	if s.StartedAt.IsZero() { // else it was queued again
		s.StartedAt = d.StoredAt
	}
	return s
}

func wireClaim(c payment.Claim) bus.Claim {
	s := c.Session
	return bus.Claim{
		Replica: c.Replica, Owner: c.Owner, Epoch: c.Epoch, Phase: bus.Phase(c.Phase),
		Group: s.Group, Request: s.Request, Hash: s.Hash, Nonce: s.Nonce, Reply: s.Reply, Trace: s.Trace,
		SessionID: c.SessionID, Sealed: c.Sealed, QueueSeq: c.QueueSeq, Handle: c.Handle,
		Amount: s.Request.Amount, Currency: s.Request.Currency, StartedAt: s.StartedAt, Deadline: s.Deadline,
		UpdatedAt: c.UpdatedAt, Answer: c.Answer, Ended: c.Ended,
	}
}

func claimOf(c bus.Claim) payment.Claim {
	return payment.Claim{
		Owner: c.Owner, Replica: c.Replica, Epoch: c.Epoch, Phase: payment.ClaimPhase(c.Phase),
		Session: payment.Session{
			Request: c.Request, Hash: c.Hash, Nonce: c.Nonce, Group: c.Group, Reply: c.Reply,
			StartedAt: c.StartedAt, Deadline: c.Deadline, Trace: c.Trace,
		},
		SessionID: c.SessionID, Sealed: c.Sealed, Handle: c.Handle, QueueSeq: c.QueueSeq,
		Answer: c.Answer, Ended: c.Ended, UpdatedAt: c.UpdatedAt,
	}
}

func wireStatus(e payment.Entry, trace map[string]string) bus.Status {
	return bus.Status{
		Event: e.Event, Hash: e.Hash, Group: e.Group, Replica: e.Replica, Epoch: e.Epoch,
		EventID: e.EventID, StartedAt: e.StartedAt, Trace: trace,
	}
}

func logOf(l bus.Log) payment.Log {
	log := payment.Log{Last: l.Last, Created: l.Created}
	if l.Claim != nil {
		claim := claimOf(*l.Claim)
		log.Claim = &claim
	}
	for _, s := range l.Statuses {
		log.Entries = append(log.Entries, payment.Entry{
			Event: s.Event, Hash: s.Hash, Group: s.Group, Replica: s.Replica, Epoch: s.Epoch,
			EventID: s.EventID, StartedAt: s.StartedAt,
		})
	}
	return log
}
