package payment

import (
	"slices"

	"github.com/posbridge/bridge/schema"
)

// Trail are the stored statuses of an order, the newest first. It is a list of
// values that never change, so that adding one copies nothing. nil is empty.
type Trail struct {
	seen   Seen
	before *Trail
	length int
}

// with adds a status.
func (t *Trail) with(s Seen) *Trail { return &Trail{seen: s, before: t, length: t.len() + 1} }

// shown notes the ids under which the stream shows the first status, if an answer
// told it: a later connection repeats it under those, not under the answer's.
func (t *Trail) shown(o Observation) *Trail {
	if t == nil || !t.seen.Asked || o.Source != schema.SourceStream || o.Status != t.seen.Status {
		return t
	}
	s := Seen{Status: o.Status, Transaction: orElse(o.Transaction, t.seen.Transaction), EventID: orElse(o.EventID, t.seen.EventID)}
	return t.before.with(s)
}

// len counts the statuses.
func (t *Trail) len() int {
	if t == nil {
		return 0
	}
	return t.length
}

// all are the statuses, oldest first, with room for more.
func (t *Trail) all(more int) []Seen {
	all := make([]Seen, 0, t.len()+more)
	for ; t != nil; t = t.before {
		all = append(all, t.seen)
	}
	slices.Reverse(all)
	return all
}
