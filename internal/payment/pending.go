package payment

// Pending are observations that wait to be stored, oldest first. It is a value: to
// add one, or to take the first, changes and copies nothing that others hold. The zero
// value is empty.
type Pending struct {
	// front are the oldest; empty only if nothing waits. back are those that came
	// after them, the newest first.
	front []Observation
	back  *chain[Observation]
}

// Len counts what waits.
func (q Pending) Len() int { return len(q.front) + q.back.len() }

// with adds observations.
func (q Pending) with(more ...Observation) Pending {
	for i := range more {
		if len(q.front) == 0 {
			q.front = more[i : i+1 : i+1]
			continue
		}
		q.back = q.back.with(more[i])
	}
	return q
}

// first is the oldest; there must be one.
func (q Pending) first() Observation { return q.front[0] }

// rest is what waits behind the first.
func (q Pending) rest() Pending {
	if q.front = q.front[1:]; len(q.front) > 0 {
		return q
	}
	return Pending{front: q.back.all(0)}
}

// all lists what waits, oldest first.
func (q Pending) all() []Observation {
	if q.back == nil {
		return q.front
	}
	return append(q.front[:len(q.front):len(q.front)], q.back.all(0)...)
}
