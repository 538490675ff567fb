package payment

import "time"

// inquire asks the owner before its session is taken over.
func (t *turn) inquire(log Log) {
	t.become(Inquiring{Log: log, Since: t.at})
	t.askOwner(log.Claim, 0)
}

func (t *turn) askOwner(claim *Claim, after time.Duration) {
	t.do(AskOwner{Owner: claim.Owner, Epoch: claim.Epoch, Handle: t.p.Place.Handle, QueueSeq: t.p.Place.Seq, After: after})
}

// ownerSaid takes the owner's answer. Silence, and a missing owner while NATS
// was in trouble, prove its end only after BRIDGE_REPLICA_TTL.
func (t *turn) ownerSaid(phase Inquiring, said OwnerSaid) {
	waited := t.at.Sub(phase.Since) >= t.p.Rules.ReplicaTTL
	switch {
	case said.Word == OwnerFollows:
		t.join(phase.Log)
		t.leave(LeaveFollowed)
	case said.Word == OwnerStoring:
		pause := min(storingPause<<phase.Storing, askOwnerPause)
		phase.Since, phase.Storing = t.at, min(phase.Storing+1, maxStoring)
		t.become(phase)
		t.askOwner(phase.Log.Claim, pause)
	case said.Word == OwnerLeft:
		t.p.Handed = true
		t.takeOver(phase.Log)
	case said.Word == OwnerGone && said.Calm, waited:
		t.takeOver(phase.Log)
	default:
		t.askOwner(phase.Log.Claim, askOwnerPause)
	}
}

// join answers the requester of another session of an open order: the owner
// follows the order, but answers the requester of its own session only. That
// happens after the queue was lost, and with it the lock.
func (t *turn) join(log Log) {
	claim, own := log.Claim, t.p.Session
	switch {
	case claim == nil, claim.QueueSeq == t.p.Place.Seq, claim.Session.Nonce == own.Nonce, own.Reply == "":
	case claim.Phase != ClaimOpen:
		t.do(AnswerStart{Reply: own.Reply, Failure: unknownError()})
	default:
		t.do(AnswerStart{Reply: own.Reply, SessionID: claim.SessionID, Status: stateOf(log).Status})
	}
}

// takeOver goes on in the place of an owner that has gone. An open order is
// connected to first, so that its two readers overlap.
func (t *turn) takeOver(log Log) {
	p := &t.p
	t.join(log)
	t.adopt(log)
	switch {
	case log.Over():
		t.claimOver(log, GoalWatch)
	case log.Claim != nil && log.Claim.Phase == ClaimCreating && log.Newest() == nil:
		t.claimOver(log, GoalFindOut)
	case len(p.Stream.Sealed) == 0, p.Stream.Connected, p.Condemned:
		t.claimOver(log, GoalFollow)
	default:
		t.become(Connecting{Log: log})
		t.wake(TimerPhase, connectLimit)
		if !p.Stream.Wanted {
			t.openStream()
		}
	}
}

// owns goes on after the claim is stored.
func (t *turn) owns(goal Goal) {
	p := &t.p
	if goal != GoalWatch {
		p.Timers[TimerLife] = p.Session.StartedAt.Add(p.Rules.SessionTimeout)
	}
	if goal != GoalCreate && goal != GoalWatch && (p.Ledger.Epoch > 1 || p.Ledger.Seen.len() > 0) {
		if p.Handed {
			t.note(NoteTakenOn, "taken over from a replica that handed it over")
		} else {
			t.note(NoteTookOver, "taken over from another replica")
		}
	}
	if goal == GoalFollow && p.Session.Reply != "" { // the former owner may have gone between the order and the answer
		t.answer(AnswerStart{SessionID: p.State.SessionID, Status: p.State.Status, Created: true})
	}
	if p.Condemned && goal != GoalWatch {
		t.giveUp("the bridge failed repeatedly on it")
		return
	}
	switch goal {
	case GoalCreate:
		t.createFirst()
	case GoalFindOut:
		t.create(Doubt)
	case GoalWatch:
		if p.Stream.Wanted {
			t.closeStream()
		}
		p.Stream.Early = nil
		if p.Place.Delivered == 0 { // its session has left the queue
			p.Place.Gone = true
		}
		t.unlock()
		t.watch(true)
	case GoalFollow:
		t.follow()
	}
}
