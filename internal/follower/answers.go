package follower

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/payment"
)

// answerReplica answers another replica. The answer comes from the loop: a
// replica that answers makes progress.
func (f *Follower) answerReplica(question []byte, reply func([]byte)) {
	var q replicaQuestion
	if json.Unmarshal(question, &q) != nil {
		return
	}
	f.peers.heard(q.From)
	answer := func(a replicaAnswer) {
		if body, err := json.Marshal(a); err == nil {
			reply(body)
		}
	}
	f.post(func() { f.answerIn(q, answer) })
}

// answerIn answers in the loop.
func (f *Follower) answerIn(q replicaQuestion, answer func(replicaAnswer)) {
	a := f.actors[q.Ref]
	respond := func(r payment.Respond) {
		answer(replicaAnswer{Elsewhere: r.Elsewhere, Storing: r.Storing, Status: r.Status, Failure: r.Failure})
	}
	switch {
	case q.Op == opPing:
		answer(replicaAnswer{Stopping: f.draining})
	case a == nil:
		answer(replicaAnswer{Elsewhere: true})
	case q.Op == opFollows:
		f.step(a, payment.Asked{Waiter: f.waiters.add(a, respond), Epoch: q.Epoch, Handle: q.Handle, QueueSeq: q.QueueSeq})
	case q.Op == opCancel:
		f.step(a, payment.CancelAsked{Waiter: f.waiters.add(a, respond)})
	case q.Op == opLook:
		f.step(a, payment.LookAsked{Waiter: f.waiters.add(a, respond)})
	case q.Op == opNews:
		s := a.payment.State // the newest that is known, stored or not
		answer(replicaAnswer{Status: s.Status, Transaction: s.TransactionID, Financial: s.FinancialStatus})
	}
}

// askOwner asks the owner of a session once.
func (f *Follower) askOwner(ctx context.Context, ref Ref, e payment.AskOwner) payment.Event {
	if !sleep(ctx, e.After) {
		return nil
	}
	if f.peers.isGone(e.Owner) {
		return payment.OwnerSaid{Word: payment.OwnerGone, Calm: true}
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	answer, err := f.asker.ask(ctx, e.Owner, replicaQuestion{
		Op: opFollows, Ref: ref, Epoch: e.Epoch, Handle: e.Handle, QueueSeq: e.QueueSeq,
	})
	said := payment.OwnerSaid{Calm: f.opts.Bus.Calm() >= f.opts.Rules.ReplicaTTL}
	switch {
	case errors.Is(err, bus.ErrNoResponders), err != nil && f.isSilent(e.Owner):
		said.Word = payment.OwnerGone
	case err != nil:
		said.Word = payment.OwnerSilent
	case answer.Elsewhere:
		said.Word = payment.OwnerLeft
	case answer.Storing:
		said.Word = payment.OwnerStoring
	default:
		said.Word = payment.OwnerFollows
	}
	return said
}

// isSilent reports whether another replica has answered nothing for BRIDGE_REPLICA_TTL
// in which this one had no trouble with NATS.
func (f *Follower) isSilent(owner string) bool {
	ttl := f.opts.Rules.ReplicaTTL
	return f.opts.Bus.Calm() >= ttl && f.peers.silence(owner) >= ttl
}

// Claimed tells of a claim that was seen. A payment that another replica has
// claimed is left; without this its next publish would be refused.
func (f *Follower) Claimed(ref Ref, c *payment.Claim) {
	if c.Owner == f.opts.Rules.Self {
		return
	}
	f.peers.heard(c.Owner)
	outranked := payment.Outranked{Epoch: c.Epoch, Phase: c.Phase}
	f.post(func() {
		if a := f.actors[ref]; a != nil {
			f.step(a, outranked)
		}
	})
}
