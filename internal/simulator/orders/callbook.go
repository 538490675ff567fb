package orders

import (
	"github.com/posbridge/bridge/internal/simulator/calls"
	"github.com/posbridge/bridge/internal/simulator/fault"
)

// record is what is kept of an order id, whether or not it became an order.
type record struct {
	calls.Counts
	asked fault.Set // faults that the order itself brought
}

// callBook holds records by order id, the latest ids only.
type callBook struct {
	limit int
	byID  map[string]*record
	ids   []string // in the order of their first call
}

func newCallBook(limit int) callBook {
	return callBook{limit: limit + MaxTerminals, byID: map[string]*record{}}
}

// at returns the record of an id to be changed.
func (b *callBook) at(id string) *record {
	if c := b.byID[id]; c != nil {
		return c
	}
	c := &record{}
	b.byID[id] = c
	b.ids = append(b.ids, id)
	if len(b.ids) > b.limit {
		delete(b.byID, b.ids[0])
		b.ids = b.ids[1:]
	}
	return c
}

// recall puts a record back.
func (b *callBook) recall(id string, counts calls.Counts, asked fault.Set) {
	*b.at(id) = record{Counts: counts, asked: asked}
}
