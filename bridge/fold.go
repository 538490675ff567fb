package bridge

import (
	"slices"
	"time"

	"github.com/posbridge/bridge/schema"
)

// State is what is known of an order: what its last published event says, and
// how much the event stream has told this replica. The zero State is an order
// of which nothing was published.
type State struct {
	Status          string
	FinancialStatus string
	TransactionID   string
	// SessionID is the provider's, empty while unknown.
	SessionID string
	// Sequence of the last published event, 0 when there is none.
	Sequence uint64
	// Final is true from the first final event on.
	Final bool
	// Heard counts the stream's events that were folded in by this replica, and
	// those that it learnt of because another one had published them.
	Heard uint64
	// Shown is true when this replica's event stream has shown the status itself: what
	// it shows again behind it, with nothing between, is a repeat.
	Shown bool
	// Ahead are the status that this replica was shown last and, in order, what
	// another one has published since and this one's event stream has not shown yet:
	// it may only be about to, having stood still. What can have been shown until
	// AheadUntil, and is among them, is no news. Empty when nothing is ahead.
	Ahead      []string
	AheadUntil time.Time
}

// Observation is one piece of news of an order.
type Observation struct {
	// Source is schema.SourceStream, SourceReconcile or SourceBridge.
	Source          string
	Status          string
	FinancialStatus string
	TransactionID   string
	// SessionID is empty when the source does not tell it.
	SessionID string
	// AskedAfter counts the stream's events that had arrived when the provider
	// was asked. Only for SourceReconcile.
	AskedAfter uint64
	// At is when it was learnt. It is copied.
	At time.Time
	// NotBefore is the earliest time at which it can have been shown to this
	// replica: At, or when the replica was last seen awake, if it stood still
	// before it learnt of it. It is compared with what another replica published.
	NotBefore time.Time
	// Opening is true when it may be what a server sends on connecting: the state in
	// which the order is, and no change of it.
	Opening bool
}

// Verdict says what an observation was worth.
type Verdict string

// The verdicts of Fold.
const (
	// News: the status changed; the event is to be published.
	News Verdict = "news"
	// Repeat: the status is the one already published.
	Repeat Verdict = "repeat"
	// Stale: an answer that is older than what the stream has told since.
	Stale Verdict = "stale"
	// Late: the payment is over, and this would take it back.
	Late Verdict = "late"
)

// Fold is the heart of the bridge: every decision about the order of statuses,
// repeats, finality and sequence is made here and nowhere else. It is pure: no
// clock, no I/O. The returned state is the one to continue from; change is what
// to publish, set with verdict News only.
//
// The rules are those that schema.StatusEvent promises its readers: a repeated
// status is no change; an answer that is older than the stream's news is no
// news; nothing goes back to initialized or declined after a final status;
// nothing follows unresolved; what follows a final status is final too.
func Fold(s State, o Observation) (next State, change *schema.StatusEvent, verdict Verdict) {
	stale := o.Source == schema.SourceReconcile && s.Heard > o.AskedAfter
	if o.Source == schema.SourceStream {
		s.Heard++
		if at := s.aheadAt(o); at >= 0 {
			s.Ahead, s.Shown = s.Ahead[at:], true
			return s, nil, Repeat
		}
	}
	switch {
	case s.Status == schema.StatusUnresolved:
		return s, nil, Late
	case stale:
		return s, nil, Stale
	case o.Status == s.Status:
		s.Shown = s.Shown || o.Source == schema.SourceStream
		return s, nil, Repeat
	case s.Final && (takesBack(o.Status) || o.Source == schema.SourceBridge):
		return s, nil, Late
	}
	next = State{
		Status:          o.Status,
		FinancialStatus: o.FinancialStatus,
		TransactionID:   orElse(o.TransactionID, s.TransactionID),
		SessionID:       orElse(o.SessionID, s.SessionID),
		Sequence:        s.Sequence + 1,
		Final:           s.Final || schema.IsFinal(o.Status),
		Heard:           s.Heard,
		Shown:           o.Source == schema.SourceStream,
		Ahead:           s.Ahead,
		AheadUntil:      s.AheadUntil,
	}
	if o.Source == schema.SourceBridge {
		next.FinancialStatus = s.FinancialStatus
	}
	return next, &schema.StatusEvent{
		SessionID:       next.SessionID,
		TransactionID:   next.TransactionID,
		Status:          next.Status,
		FinancialStatus: next.FinancialStatus,
		PreviousStatus:  s.Status,
		Final:           next.Final,
		Sequence:        next.Sequence,
		Source:          o.Source,
		ObservedAt:      o.At.UTC().Round(0), // without the monotonic clock, so that it compares equal to what is read back
	}, News
}

// aheadAt is the place of an event of the stream's in Ahead; negative: it has none.
// The first counts only if it can be a repeat.
func (s State) aheadAt(o Observation) int {
	switch {
	case len(s.Ahead) == 0 || o.NotBefore.After(s.AheadUntil):
		return -1
	case o.Status == s.Ahead[0] && (s.Shown || o.Opening):
		return 0
	}
	if step := slices.Index(s.Ahead[1:], o.Status); step >= 0 {
		return 1 + step
	}
	return -1
}

// Rebase continues from an event that another replica published: the stream
// of statuses is the truth, what this replica has heard remains heard.
func (s State) Rebase(last schema.StatusEvent) State {
	return State{
		Status:          last.Status,
		FinancialStatus: last.FinancialStatus,
		TransactionID:   last.TransactionID,
		SessionID:       orElse(last.SessionID, s.SessionID),
		Sequence:        last.Sequence,
		Final:           last.Final,
		Heard:           s.Heard,
	}
}

// sameEvent is how far apart two replicas may read the same event of a stream,
// their clocks' difference included.
const sameEvent = 300 * time.Millisecond

// CatchUp continues from what another replica has published meanwhile (at least
// one event, in order), and returns which of the pending observations are still
// to be folded. Both replicas read the same stream: pending events are looked
// for, in order, in the status from which this replica comes (if its stream has
// shown that, or may have sent it on connecting: else something lies between) and
// in what the other has published, and everything up to the last one found is dropped. What
// was surely shown sameEvent or more after the last published one was learnt is
// newer. What is left of the published ones is ahead: events that are yet to be
// read are compared with it in the same way.
// Answers that were asked for before are dropped too, and those that are still
// on their way count as asked for before: every published event was heard now.
func (s State) CatchUp(published []schema.StatusEvent, pending []Observation) (next State, rest []Observation) {
	known := []string{s.Status}
	if len(s.Ahead) > 0 {
		known = slices.Clone(s.Ahead)
	}
	for _, e := range published {
		known = append(known, e.Status)
	}
	newer := published[len(published)-1].ObservedAt.Add(sameEvent)
	at, covered, shown := 0, 0, s.Shown
	for i, o := range pending {
		if o.NotBefore.After(newer) {
			break
		}
		if o.Source != schema.SourceStream {
			if i == covered { // an answer between two events does not part them
				covered = i + 1
			}
			continue
		}
		if step := slices.Index(known[at+1:], o.Status); i == covered && o.Status == known[at] && (shown || o.Opening) {
			covered, shown = i+1, true // a repeat
		} else if step >= 0 {
			at, covered, shown = at+1+step, i+1, true
		}
	}
	next = s.Rebase(published[len(published)-1])
	next.Heard += uint64(len(published))
	next.Shown = shown
	if at < len(known)-1 {
		next.Ahead, next.AheadUntil = known[at:], newer
	}
	for i, o := range pending {
		switch {
		case o.Source == schema.SourceReconcile:
		case o.Source == schema.SourceStream && i < covered:
			next.Heard++
		default:
			rest = append(rest, o)
		}
	}
	return next, rest
}

// takesBack tells the statuses that only an open payment can have.
func takesBack(status string) bool {
	return status == "initialized" || status == "declined"
}

// shownStatus is what commands answer: StatusCreated while there is no status.
func shownStatus(status string) string { return orElse(status, schema.StatusCreated) }

func orElse(s, other string) string {
	if s != "" {
		return s
	}
	return other
}
