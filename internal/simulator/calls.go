package simulator

// Calls counts what was asked for one order id, the refused and lost included.
type Calls struct {
	Create int `json:"create"`
	// Made is how many orders came out of the creates: 0 or 1.
	Made   int `json:"made"`
	Get    int `json:"get"`
	Cancel int `json:"cancel"`
	Patch  int `json:"patch"`
	// Receipts asked for.
	Receipt int `json:"receipt"`
	// Streams opened or tried.
	Stream int `json:"stream"`
}

// record is what is kept of an order id, whether or not it became an order.
type record struct {
	Calls
	asked faultSet // faults that the order itself brought
}

// callBook holds records by order id, the latest ids only.
type callBook struct {
	limit int
	byID  map[string]*record
	ids   []string // in the order of their first call
}

func newCallBook(limit int) callBook {
	return callBook{limit: limit + maxTerminals, byID: map[string]*record{}}
}

func (b *callBook) of(id string) Calls {
	if c := b.byID[id]; c != nil {
		return c.Calls
	}
	return Calls{}
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

// count adds one call.
func (b *callBook) count(op Operation, id string) {
	c := b.at(id)
	switch op {
	case OpCreate:
		c.Create++
	case OpGet:
		c.Get++
	case OpCancel:
		c.Cancel++
	case OpPatch:
		c.Patch++
	case OpReceipt:
		c.Receipt++
	case OpStream:
		c.Stream++
	}
}
