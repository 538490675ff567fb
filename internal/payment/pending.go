package payment

// Pending are observations that wait to be stored, oldest first. It is a value: to
// add one, or to take the first, changes and copies nothing that others hold. The zero
// value is empty.
type Pending struct {
	// front are the oldest; empty only if nothing waits. back are those that came
	// after them, the newest first.
	front []Observation
	back  *pendingBack
}

type pendingBack struct {
	last   Observation
	before *pendingBack
	length int
}

func (b *pendingBack) len() int {
	if b == nil {
		return 0
	}
	return b.length
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
		q.back = &pendingBack{last: more[i], before: q.back, length: q.back.len() + 1}
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
	return Pending{front: q.back.all()}
}

// all lists the back, oldest first.
func (b *pendingBack) all() []Observation {
	all := make([]Observation, b.len())
	for ; b != nil; b = b.before {
		all[b.length-1] = b.last
	}
	return all
}

// all lists what waits, oldest first.
func (q Pending) all() []Observation {
	if q.back == nil {
		return q.front
	}
	return append(q.front[:len(q.front):len(q.front)], q.back.all()...)
}
