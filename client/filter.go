package client

import "github.com/posbridge/bridge/subjects"

// Filter says which orders are meant. The zero value means all of them.
type Filter struct {
	// Terminal and Order; each may be empty for any.
	Terminal, Order string
}

// check refuses ids from which no subject may be built.
func (f Filter) check() error {
	if f.Terminal != "" {
		if err := subjects.CheckTerminal(f.Terminal); err != nil {
			return err
		}
	}
	if f.Order != "" {
		return subjects.CheckOrder(f.Order)
	}
	return nil
}

// subject is the subject, with wildcards, of the filter's messages of a kind. The kind
// may be "*".
func (f Filter) subject(space subjects.Space, kind subjects.Kind) string {
	terminal, order := "*", "*"
	if f.Terminal != "" {
		terminal = f.Terminal
	}
	if f.Order != "" {
		order = subjects.OrderToken(f.Order)
	}
	return space.Prefix() + "." + terminal + "." + order + "." + string(kind)
}
