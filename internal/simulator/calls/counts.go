package calls

// Counts counts what was asked for one order id, the refused and lost included.
type Counts struct {
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

// Add counts one call.
func (c *Counts) Add(op Operation) {
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
