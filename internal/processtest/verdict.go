package processtest

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Change is one status change at the provider.
type Change struct {
	Status string
	At     time.Time
	// Witnesses are the replicas on whose event streams it went out, and when.
	Witnesses []Witness
}

// Witness is a replica that was shown a change.
type Witness struct {
	Replica string
	At      time.Time
}

// Excuse is a time in which a replica cannot be held to what it was shown: it
// was killed or stopped before it could pass it on, or its wire swallowed it.
type Excuse struct {
	Replica  string // empty is every replica
	From, To time.Time
}

// covers tells whether a witness is excused.
func (e Excuse) covers(w Witness) bool {
	return (e.Replica == "" || e.Replica == w.Replica) && !w.At.Before(e.From) && !w.At.After(e.To)
}

// weighing is what a published history of one order is worth.
type weighing struct {
	// Lost are the changes that had to be published and were not.
	Lost []string
	// Unseen are the changes that were not published and that no replica, alive
	// and connected, was shown: nobody could know of them.
	Unseen []string
	// Forged is set when the published statuses are no history that the provider
	// could have shown: another order of statuses, one too many, one repeated.
	Forged bool
}

// weigh holds the published statuses of an order against what the provider
// showed. Of the provider's changes those count that must be published: see
// must. The others may be missing, and whatever then stands twice in a row is
// one status. It picks the reading that loses least.
func weigh(published []string, changes []Change, must func(i int) bool) weighing {
	// cost[j] is the least number of losses with which the changes so far explain
	// the first j published statuses; missed[j] names the changes left out.
	type reading struct {
		lost   int
		missed []int
	}
	impossible := reading{lost: math.MaxInt}
	readings := make([]reading, len(published)+1)
	for j := range readings {
		readings[j] = impossible
	}
	readings[0] = reading{}
	for i, c := range changes {
		next := make([]reading, len(readings))
		for j := range next {
			next[j] = impossible
		}
		better := func(j int, r reading) {
			if r.lost < next[j].lost || r.lost == next[j].lost && len(r.missed) < len(next[j].missed) {
				next[j] = r
			}
		}
		for j, r := range readings {
			if r.lost == math.MaxInt {
				continue
			}
			if j < len(published) && published[j] == c.Status {
				better(j+1, r)
			}
			if j > 0 && published[j-1] == c.Status {
				better(j, r) // the same status still
			}
			left := reading{lost: r.lost, missed: append(slices.Clone(r.missed), i)}
			if must(i) {
				left.lost++
			}
			better(j, left)
		}
		readings = next
	}
	best := readings[len(published)]
	if best.lost == math.MaxInt {
		return weighing{Forged: true}
	}
	var w weighing
	for _, i := range best.missed {
		what := fmt.Sprintf("%s (%d of %d)", changes[i].Status, i+1, len(changes))
		if must(i) {
			w.Lost = append(w.Lost, what)
		} else {
			w.Unseen = append(w.Unseen, what)
		}
	}
	return w
}

// obligation says which of an order's changes must be published: promise 1,
// "each status change that the provider showed on the stream, or still shows
// when asked".
type obligation struct {
	changes []Change
	excuses []Excuse
	// patience is how long a status may stand before it counts as still shown
	// when asked.
	patience time.Duration
}

func (o obligation) must(i int) bool {
	c := o.changes[i]
	for _, w := range c.Witnesses {
		if !slices.ContainsFunc(o.excuses, func(e Excuse) bool { return e.covers(w) }) {
			return true
		}
	}
	afterFinal := slices.ContainsFunc(o.changes[:i], func(c Change) bool { return endsPayment(c.Status) })
	if afterFinal {
		return false // nobody asks for ever for an order that is over
	}
	if i == len(o.changes)-1 {
		return endsPayment(c.Status) || time.Since(c.At) > o.patience
	}
	return endsPayment(c.Status) && !endsPayment(o.changes[i+1].Status) || o.changes[i+1].At.Sub(c.At) > o.patience
}

// endsPayment tells the contract's final statuses.
func endsPayment(status string) bool {
	switch status {
	case "completed", "cancelled", "expired", "void", "unresolved", "reversed", "refunded", "partial_refunded", "chargedback":
		return true
	}
	return false
}
