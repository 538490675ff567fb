package payment

import (
	"cmp"
	"slices"
	"time"

	"github.com/posbridge/bridge/schema"
)

// Seen is a status that is stored, or will be, as far as a stream can repeat it.
type Seen struct {
	Status, Transaction, EventID string
	// Asked is set for an order's first status when the provider's answer told it. The
	// answer may name another transaction than the stream does.
	Asked bool
}

// push appends without touching what the payment of the input shares.
func push[E any](s []E, more ...E) []E { return append(slices.Clip(s), more...) }

func (o Observation) seen() Seen {
	return Seen{Status: o.Status, Transaction: o.Transaction, EventID: o.EventID}
}

// repeats reports whether an event shows the status again. Ids decide when both
// are known.
func (s Seen) repeats(o Seen) bool {
	if s.EventID != "" && o.EventID != "" {
		return s.EventID == o.EventID
	}
	return s.Status == o.Status && (s.Transaction == o.Transaction || s.Transaction == "" || o.Transaction == "")
}

// same reports whether an event is the same status of the same transaction.
func (s Seen) same(o Seen) bool { return s.repeats(o) && s.Transaction == o.Transaction }

// is reports whether an event is certainly this status: by its id or its
// transaction.
func (s Seen) is(o Seen) bool {
	return s.EventID != "" && s.EventID == o.EventID
}

// Connection is one connection to the event stream. A server may send history
// on a new connection: all of it, the newest event, or nothing. What may be
// history is held until it is clear whether it is news.
type Connection struct {
	// Live is set once the connection has shown something new: everything
	// after that is new too.
	Live bool
	// Run are the events of the connection so far, until it is live. They may
	// all be history.
	Run []Observation
	// Sure is how many of them are known to be history.
	Sure int
	// Since is when the connection was opened.
	Since time.Time
	// Ripe is set once the provider has answered a question that was sent when
	// history must have begun to arrive: what comes now is new.
	Ripe bool
	// Blurred is set when one of the events was not understood: it may be the
	// known one that tells history from news.
	Blurred bool
}

// historyLimit is how long after its opening a connection may begin to send
// history.
const historyLimit = time.Second

// show takes the next event. known are the statuses that are stored or will be,
// oldest first. news are the events that are certainly new, in order.
func (c Connection) show(known []Seen, o Observation) (next Connection, news []Observation) {
	switch {
	case c.Live, len(known) == 0:
		return Connection{Live: true}, []Observation{o}
	case o.EventID != "" && known[len(known)-1].EventID == o.EventID:
		return Connection{Live: true}, nil
	case o.EventID != "" && slices.ContainsFunc(known, func(s Seen) bool { return s.EventID == o.EventID }):
		return c.history(), nil
	case len(c.Run) > 0 && c.Run[len(c.Run)-1].seen() == o.seen():
		return c, nil
	}
	c.Run = push(c.Run, o)
	switch {
	case containsRun(known, c.Run):
		return c, nil
	case c.overlap(known) > 0 && !c.Blurred, len(c.Run) == 1 && c.Ripe, endsAnew(known, o): // history does not end what is open
		return c.settle(known)
	}
	return c, nil
}

// overlap is the length of the longest prefix of the run that is a suffix of
// the known statuses (R12).
func (c Connection) overlap(known []Seen) int {
	n := min(len(c.Run), len(known))
	for n > 0 && !matches(known[len(known)-n:], c.Run[:n]) {
		n--
	}
	return n
}

// settle decides without waiting: the overlap with the known statuses is
// history, and so is everything up to an event that is certainly known or looks
// like the last one. The rest is new. If some of it was not understood, only the
// end of the payment and what follows is: for the rest the answer has to do.
func (c Connection) settle(known []Seen) (next Connection, news []Observation) {
	if c.Live {
		return c, nil
	}
	n := max(c.Sure, c.overlap(known))
	for i := len(c.Run); i > n && len(known) > 0; i-- {
		o := c.Run[i-1].seen()
		if known[len(known)-1].same(o) || slices.ContainsFunc(known, func(s Seen) bool { return s.is(o) }) {
			n = i
		}
	}
	for c.Blurred && n < len(c.Run) && !endsAnew(known, c.Run[n]) {
		n++
	}
	if n < len(c.Run) {
		return Connection{Live: true}, c.Run[n:]
	}
	c.Sure = n
	return c, nil
}

// isHistory reports whether a newer answer shows that the run is history: the
// order is where the last known status left it. An event that no known status
// repeats is history only if the answer is that very status.
func (c Connection) isHistory(known []Seen, answer Seen) bool {
	if len(known) == 0 {
		return false
	}
	last := known[len(known)-1]
	return last.repeats(answer) && (containsRun(known, c.Run) || last.same(answer))
}

// open reports whether there are events of which it is not clear whether they
// are news.
func (c Connection) open() bool { return !c.Live && len(c.Run) > c.Sure }

// endsAnew reports whether an event ends a payment that was open.
func endsAnew(known []Seen, o Observation) bool {
	return schema.IsFinal(o.Status) && !slices.ContainsFunc(known, func(s Seen) bool { return schema.IsFinal(s.Status) })
}

// history notes that everything so far was history: the provider says so, or
// the stream by an event that is known.
func (c Connection) history() Connection {
	c.Sure = len(c.Run)
	return c
}

// isPast reports whether an answer shows a transaction that was declined before a newer
// one began: the machine that gave it lags. Only the ids tell, and the end of a payment
// is never past.
func isPast(known []Seen, answer Seen) bool {
	if answer.Transaction == "" || answer.Status != "initialized" && answer.Status != "declined" {
		return false
	}
	declined := slices.IndexFunc(known, func(s Seen) bool { return s.Status == "declined" && s.Transaction == answer.Transaction })
	if declined < 0 {
		return false
	}
	newest := answer.Transaction
	for _, s := range known[declined:] {
		newest = cmp.Or(s.Transaction, newest)
	}
	return newest != answer.Transaction && !slices.ContainsFunc(known[:declined], func(s Seen) bool { return s.Transaction == newest })
}

// containsRun reports whether the run repeats consecutive known statuses.
func containsRun(known []Seen, run []Observation) bool {
	for from := 0; from+len(run) <= len(known); from++ {
		if matches(known[from:from+len(run)], run) {
			return true
		}
	}
	return false
}

// matches reports whether the run repeats the known statuses one by one. The
// transaction of an asked status counts only when nothing else tells.
func matches(known []Seen, run []Observation) bool {
	for i, o := range run {
		s := known[i]
		if s.Asked && len(run) > 1 {
			s.Transaction = ""
		}
		if !s.repeats(o.seen()) {
			return false
		}
	}
	return true
}
