package orders

import "time"

// Book is every order that is remembered.
type Book struct {
	ByID      map[string]*Order
	BySession map[string]*Order
	Finished  []*Order // oldest first; what Settings.History bounds
	number    int64    // the latest transaction id
}

// next returns a new transaction id: seventeen digits, as the provider's, more
// than a float64 holds exactly.
func (b *Book) next(now time.Time) int64 {
	b.number = max(b.number+1, now.UnixMicro()*10)
	return b.number
}
