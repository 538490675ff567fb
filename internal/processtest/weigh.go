package processtest

import (
	"math"
	"slices"
	"time"

	"github.com/posbridge/bridge/internal/simulator"
)

// Change is one status change at the provider.
type Change struct {
	Status string
	At     time.Time
	// Witnesses are the replicas on whose event streams it went out, and when.
	Witnesses []Witness
}

// Witness is a replica that saw a change.
type Witness struct {
	Replica string
	At      time.Time
}

// Excuse is a time in which a replica may have seen a status without storing it:
// it was killed, paused or cut off.
type Excuse struct {
	Replica  string // empty is every replica
	From, To time.Time
}

// covers reports whether a witness is excused.
func (e Excuse) covers(w Witness) bool {
	return (e.Replica == "" || e.Replica == w.Replica) && !w.At.Before(e.From) && !w.At.After(e.To)
}

// changesOf lists an order's changes and who saw them. Whoever asks before the
// customer did anything gets initialized, which is a change that no stream shows.
func changesOf(o simulator.Order, shown []Shown) []Change {
	changes := []Change{{Status: "initialized", At: o.Created}}
	for _, e := range o.Events {
		changes = append(changes, Change{Status: e.Status, At: e.At})
	}
	for _, s := range shown {
		// The latest change to that status that had happened by then.
		for i := len(changes) - 1; i > 0; i-- {
			if changes[i].Status == s.Status && !changes[i].At.After(s.At) {
				changes[i].Witnesses = append(changes[i].Witnesses, Witness{s.Replica, s.At})
				break
			}
		}
	}
	return changes
}

// duty says what promise 1 demands of a change.
type duty int

const (
	// mustPublish: a replica that lived saw it, or the provider still shows it.
	mustPublish duty = iota
	// excepted: only replicas that died, were paused or were cut off saw it, and it
	// changed again soon.
	excepted
	// unseen: it went out on no stream, and changed again soon.
	unseen
)

// patience is how long a status may last before a replica must have asked.
const patience = 30 * time.Second

// dutyOf judges the i-th change: "each status that the provider shows to the
// replica that follows the payment, or still shows when asked".
func dutyOf(changes []Change, i int, excuses []Excuse) duty {
	c := changes[i]
	for _, w := range c.Witnesses {
		if !slices.ContainsFunc(excuses, func(e Excuse) bool { return e.covers(w) }) {
			return mustPublish
		}
	}
	over := slices.ContainsFunc(changes[:i], func(c Change) bool { return endsPayment(c.Status) })
	if !over && stillShown(changes, i) {
		return mustPublish
	}
	if len(c.Witnesses) > 0 {
		return excepted
	}
	return unseen // of an order that is over, too: nobody asks for it for ever
}

// stillShown reports whether whoever asks must find the i-th change: it ended the
// payment, or lasted long.
func stillShown(changes []Change, i int) bool {
	ends := endsPayment(changes[i].Status)
	if i == len(changes)-1 {
		return ends || time.Since(changes[i].At) > patience
	}
	return ends && !endsPayment(changes[i+1].Status) || changes[i+1].At.Sub(changes[i].At) > patience
}

// weigh explains the published statuses of an order by the provider's changes and
// returns the changes that are missing. A change that is missing makes two equal
// neighbours one status. Of all explanations it picks the one that loses least.
// possible is false if there is none: a status was repeated, invented or moved.
func weigh(published []string, changes []Change, excuses []Excuse) (missing []int, possible bool) {
	// best[j] explains the first j published statuses by the changes so far.
	best := make([]explanation, len(published)+1)
	for j := range best[1:] {
		best[j+1].lost = math.MaxInt
	}
	for i, c := range changes {
		next := make([]explanation, len(best))
		for j, e := range best {
			next[j] = e.without(i, dutyOf(changes, i, excuses) == mustPublish)
			if j > 0 && published[j-1] == c.Status {
				next[j] = next[j].or(best[j-1]).or(e) // published; or the same status still
			}
		}
		best = next
	}
	last := best[len(published)]
	return last.missing, last.lost < math.MaxInt
}

// explanation of published statuses; lost is math.MaxInt if there is none.
type explanation struct {
	lost    int
	missing []int
}

func (e explanation) without(i int, lost bool) explanation {
	if e.lost == math.MaxInt {
		return e
	}
	left := explanation{e.lost, append(slices.Clone(e.missing), i)}
	if lost {
		left.lost++
	}
	return left
}

func (e explanation) or(other explanation) explanation {
	if other.lost < e.lost || other.lost == e.lost && len(other.missing) < len(e.missing) {
		return other
	}
	return e
}
