package orders

import (
	"fmt"
	"strconv"

	"github.com/posbridge/bridge/internal/simulator/calls"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/journal"
)

// maxFaults is how many can be set for everybody at once.
const maxFaults = 1_000

// FaultBook is what is to go wrong, for everybody or for one order, and what was
// asked for each order. The state's lock guards it.
type FaultBook struct {
	set     fault.Set // for everybody; an order's own are in calls
	seq     uint64    // of the latest fault without a name of its own
	calls   callBook
	orders  map[string]*Order // other ids stay out of the journal
	journal *journal.Journal
	changed func() // set has changed
}

// Of returns what was asked for an order id, and what is left of the faults that the
// order itself brought.
func (b *FaultBook) Of(id string) (calls.Counts, fault.Set) {
	if r := b.calls.byID[id]; r != nil {
		return r.Counts, r.asked
	}
	return calls.Counts{}, nil
}

// Calls are what was asked for an order id, to be changed.
func (b *FaultBook) Calls(id string) *calls.Counts { return &b.calls.at(id).Counts }

// add sets a checked fault.
func (b *FaultBook) add(set *fault.Set, f fault.Fault) fault.Fault {
	f = f.WithDefaults()
	if f.ID == "" {
		b.seq++
		f.ID = "f" + strconv.FormatUint(b.seq, 10)
	}
	set.Put(f)
	b.note(f.Terminal, f.Order, "fault "+string(f.Name)+" is set as "+f.ID)
	return f
}

// note writes something about faults down.
func (b *FaultBook) note(terminal, order, text string) {
	if b.orders[order] == nil {
		order = ""
	}
	b.journal.Note(journal.Entry{Kind: journal.KindFault, Terminal: terminal, Order: order, Text: text})
}

// Ask sets the faults that an order brings, once per order id: a client that sends
// the same order again is not asking again.
func (b *FaultBook) Ask(id string, faults []fault.Fault) {
	record := b.calls.at(id)
	if record.Create > 1 {
		return
	}
	for _, f := range faults {
		f.Order = id
		b.add(&record.asked, f)
	}
}

// Set sets a checked fault for everybody, in place of one with the same ID, and
// returns it with its ID and Count filled in.
func (b *FaultBook) Set(f fault.Fault) (fault.Fault, error) {
	if len(b.set) >= maxFaults {
		return fault.Fault{}, fmt.Errorf("%d faults are set, and more are not possible", maxFaults)
	}
	f = b.add(&b.set, f)
	b.changed()
	return f, nil
}

// List returns what was set for everybody, with what is left of the counts.
func (b *FaultBook) List() []fault.Fault { return append([]fault.Fault{}, b.set...) }

// Drop takes back what was set for everybody under an ID; false when there is none.
func (b *FaultBook) Drop(id string) bool {
	if !b.set.Drop(id) {
		return false
	}
	b.changed()
	b.note("", "", "fault "+journal.Clip(id, 64)+" is taken back")
	return true
}

// DropAll takes back everything that was set for everybody.
func (b *FaultBook) DropAll() {
	b.set = nil
	b.changed()
	b.note("", "", "all faults are taken back")
}

// Take returns the first fault of that name that befalls at, and counts it down;
// what the order itself asked for comes first.
func (b *FaultBook) Take(name fault.Name, at fault.Occasion) (fault.Fault, bool) {
	return b.TakeAfter(name, at, -1)
}

// TakeIf is Take, or nothing.
func (b *FaultBook) TakeIf(wanted bool, name fault.Name, at fault.Occasion) (fault.Fault, bool) {
	if !wanted {
		return fault.Fault{}, false
	}
	return b.Take(name, at)
}

// TakeAfter is Take where the occasion itself knows how many passed before it;
// negative lets the fault count.
func (b *FaultBook) TakeAfter(name fault.Name, at fault.Occasion, passed int) (f fault.Fault, ok bool) {
	if r := b.calls.byID[at.Order]; r != nil {
		f, ok = r.asked.Take(name, at, passed)
	}
	if !ok {
		if f, ok = b.set.Take(name, at, passed); ok && f.Count != fault.Always {
			b.changed()
		}
	}
	if ok {
		b.note(at.Terminal, at.Order, "fault "+string(name)+" happens")
	}
	return f, ok
}

// TakeEvery returns each fault of that name that befalls at, and counts them down.
func (b *FaultBook) TakeEvery(name fault.Name, at fault.Occasion) []fault.Fault {
	taken := b.set.TakeAll(name, at)
	if len(taken) > 0 {
		b.changed()
	}
	if r := b.calls.byID[at.Order]; r != nil {
		taken = append(taken, r.asked.TakeAll(name, at)...)
	}
	return taken
}
