package payment

import "slices"

// chain is a list of values that never change, the newest first, so that adding one
// copies nothing. nil is empty.
type chain[E any] struct {
	newest E
	before *chain[E]
	length int
}

// with adds a value.
func (c *chain[E]) with(e E) *chain[E] { return &chain[E]{newest: e, before: c, length: c.len() + 1} }

// len counts the values.
func (c *chain[E]) len() int {
	if c == nil {
		return 0
	}
	return c.length
}

// all are the values, oldest first, with room for more.
func (c *chain[E]) all(more int) []E {
	all := make([]E, 0, c.len()+more)
	for ; c != nil; c = c.before {
		all = append(all, c.newest)
	}
	slices.Reverse(all)
	return all
}
