package bridge

import (
	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/schema"
)

// What a successor is shown while it holds back stands in the session's record
// meanwhile: were it killed just then, nobody else might have been shown it.

// maxSeen bounds how much of it a record holds.
const maxSeen = 32

// seen is what this replica was shown and must not publish yet.
func (f *follower) seen() []bus.Seen {
	if !f.holding {
		return nil
	}
	var seen []bus.Seen
	for _, o := range f.pending {
		if o.Source == schema.SourceStream && len(seen) < maxSeen {
			seen = append(seen, bus.Seen{
				Status: o.Status, FinancialStatus: o.FinancialStatus, TransactionID: o.TransactionID, SessionID: o.SessionID,
				At: o.At.UTC(), NotBefore: o.NotBefore.UTC(), Opening: o.Opening,
			})
		}
	}
	return seen
}

// noteSeen writes it into a record, with the place after which it was shown.
func noteSeen(r *bus.Record, seen []bus.Seen, after uint64) {
	r.Seen, r.SeenAfter = seen, 0
	if len(seen) > 0 {
		r.SeenAfter = after
	}
}

// takeUp continues with what the follower before was shown and could not publish.
func (f *follower) takeUp(seen []bus.Seen) {
	for _, o := range observations(seen) {
		f.pending = append(f.pending, observed{Observation: o})
	}
	f.arrived = f.state.Heard + uint64(len(f.pending))
}

// unpublished is what is left of what a follower was shown, after what was
// published since.
func unpublished(seen []bus.Seen, since []bus.Status) []bus.Seen {
	if len(since) == 0 {
		return seen
	}
	before := State{Status: since[0].Event.PreviousStatus}
	_, rest := before.CatchUp(events(since), observations(seen))
	return seen[len(seen)-len(rest):] // CatchUp drops from the front
}

func observations(seen []bus.Seen) []Observation {
	all := make([]Observation, len(seen))
	for i, s := range seen {
		all[i] = Observation{
			Source: schema.SourceStream, Status: s.Status, FinancialStatus: s.FinancialStatus,
			TransactionID: s.TransactionID, SessionID: s.SessionID, At: s.At, NotBefore: s.NotBefore, Opening: s.Opening,
		}
	}
	return all
}

func events(statuses []bus.Status) []schema.StatusEvent {
	all := make([]schema.StatusEvent, len(statuses))
	for i, s := range statuses {
		all[i] = s.Event
	}
	return all
}
