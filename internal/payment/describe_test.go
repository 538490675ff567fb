package payment

import (
	"fmt"
	"strings"
	"time"
)

// describeEffect writes an effect as transcripts and the logs of the simulation
// show it.
func describeEffect(e Effect) string {
	switch e := e.(type) {
	case ReadLog:
		return "read log"
	case StoreClaim:
		return "store claim " + describeClaim(e.Claim) + fmt.Sprintf(", expect %d", e.Expect)
	case StoreStatus:
		return "store status " + describeEntry(e.Status) + fmt.Sprintf(", expect %d", e.Expect)
	case StoreInvalid:
		return fmt.Sprintf("store invalid %q, expect %d", e.Event.Reason, e.Expect)
	case Create:
		return fmt.Sprintf("create after %v", e.After)
	case Ask:
		return words("ask", when(e.Routine, "routine"), when(e.First, "first"), when(e.After != 0, "after "+e.After.String()))
	case Cancel:
		return "cancel"
	case OpenStream:
		return words("open stream", string(e.Sealed), when(e.LastID != "", "last id "+e.LastID))
	case CloseStream:
		return "close stream"
	case AnswerStart:
		to := when(e.Reply != "", " at "+e.Reply)
		if e.Failure != nil {
			return "answer start" + to + ": " + string(e.Failure.Code)
		}
		return words("answer start"+to+": session "+e.SessionID, when(e.Status != "", "status "+e.Status), when(e.Created, "created"))
	case Respond:
		answer := words(when(e.Elsewhere, "elsewhere"), when(e.Storing, "storing"))
		if e.Failure != nil {
			answer = string(e.Failure.Code)
		}
		return words(fmt.Sprintf("respond to %d:", e.Waiter), answer, e.Status)
	case AskOwner:
		return words(fmt.Sprintf("ask owner %s: epoch %d handle %s seq %d", e.Owner, e.Epoch, e.Handle, e.QueueSeq),
			when(e.After != 0, "after "+e.After.String()))
	case Unlock:
		return fmt.Sprintf("unlock seq %d handle %s", e.Place.Seq, e.Place.Handle)
	case GiveBack:
		return "give back " + e.Handle
	case Leave:
		return "leave: " + string(e.Why)
	case Note:
		return "note " + string(e.Kind) + ": " + e.Text
	}
	return fmt.Sprintf("%T", e)
}

func describeClaim(c Claim) string {
	text := fmt.Sprintf("%s of %s epoch %d seq %d handle %s", c.Phase, c.Owner, c.Epoch, c.QueueSeq, c.Handle)
	if c.Answer != nil {
		text += " answer " + string(c.Answer.Code)
	}
	return text
}

func describeEntry(e Status) string {
	s := e.Event
	return words(fmt.Sprintf("%d %s", s.Sequence, s.Status), when(s.Final, "final"), when(s.TransactionID != "", "tx "+s.TransactionID),
		when(s.AmountCharged != 0, fmt.Sprintf("charged %d", s.AmountCharged)), "from "+s.Source, fmt.Sprintf("epoch %d", e.Epoch))
}

func describeObservation(o Observation) string {
	return words(o.Status, when(o.Transaction != "", "tx "+o.Transaction), when(o.EventID != "", "id "+o.EventID),
		when(o.Financial != "", "financial "+o.Financial))
}

// describeEvent writes an input as the logs of the simulation show it.
func describeEvent(e Event) string {
	switch e := e.(type) {
	case LogRead:
		text := fmt.Sprintf("log read: last %d", e.Log.Last)
		if e.Log.Claim != nil {
			text += ", claim " + describeClaim(*e.Log.Claim)
		}
		for _, entry := range e.Log.Statuses {
			text += ", " + describeEntry(entry)
		}
		return text
	case Posted:
		return "posted " + outcomeNames[e.Outcome]
	case Answered:
		if !e.Exists {
			return "answered: missing"
		}
		return words("answered: "+e.Status, when(e.Transaction != "", "tx "+e.Transaction), fmt.Sprintf("amount %d", e.Amount), e.Financial)
	case Cancelled:
		return words("cancelled: "+outcomeNames[e.Outcome], e.Status)
	case StreamEvent:
		return "stream event " + describeObservation(e.Observation)
	case OwnerSaid:
		return words("owner "+wordNames[e.Word], when(e.Calm, "calm"))
	}
	return strings.TrimPrefix(fmt.Sprintf("%T %+v", e, e), "payment.")
}

var outcomeNames = []string{
	"none", "done", "not sent", "too late", "limited", "rejected", "key refused", "nonsense", "used", "doubtful",
}

var wordNames = []string{"none", "follows", "left", "storing", "gone", "silent"}

// words joins what is not empty.
func words(parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, " ")
}

func when(is bool, text string) string {
	if is {
		return text
	}
	return ""
}

// epoch is the beginning of time in transcripts and in the simulation.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
