package payment

import "slices"

// Seen is a status that is stored, or will be, as far as a stream can repeat it.
type Seen struct {
	Status, Transaction, EventID string
}

func (o Observation) seen() Seen { return Seen{o.Status, o.Transaction, o.EventID} }

// repeats reports whether an event shows the status again. Ids decide when both
// are known.
func (s Seen) repeats(o Seen) bool {
	if s.EventID != "" && o.EventID != "" {
		return s.EventID == o.EventID
	}
	return s.Status == o.Status && (s.Transaction == o.Transaction || s.Transaction == "" || o.Transaction == "")
}

// Connection is one connection to the event stream. A server may send history
// on a new connection: all of it, the newest event, or nothing. What repeats
// the known statuses is held until it is clear that it is no news.
type Connection struct {
	// Live is set once the connection has shown something new: everything
	// after that is new too.
	Live bool
	// Run are the events of the connection so far. They may all be repeats.
	Run []Observation
}

// show takes the next event. known are the statuses before this connection,
// oldest first. news are the events that are certainly new, in order.
func (c Connection) show(known []Seen, o Observation) (next Connection, news []Observation) {
	switch {
	case c.Live, len(known) == 0:
		return Connection{Live: true}, []Observation{o}
	case o.EventID != "" && slices.ContainsFunc(known, func(s Seen) bool { return s.EventID == o.EventID }):
		return c, nil
	case len(c.Run) > 0 && c.Run[len(c.Run)-1].seen() == o.seen():
		return c, nil
	}
	c.Run = append(slices.Clip(c.Run), o)
	if containsRun(known, c.Run) {
		return c, nil
	}
	return c.settle(known)
}

// settle decides without waiting: the longest prefix of the run that is a
// suffix of the known statuses is a repeat, the rest is new (R12).
func (c Connection) settle(known []Seen) (next Connection, news []Observation) {
	for n := min(len(c.Run), len(known)); n > 0; n-- {
		if matches(known[len(known)-n:], c.Run[:n]) {
			return Connection{Live: len(c.Run) > n, Run: c.Run[:n]}, c.Run[n:]
		}
	}
	return Connection{Live: len(c.Run) > 0}, c.Run
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

func matches(known []Seen, run []Observation) bool {
	for i, o := range run {
		if !known[i].repeats(o.seen()) {
			return false
		}
	}
	return true
}
