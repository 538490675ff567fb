package simulator

import (
	"time"

	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/journal"
)

// stateLogEntries is how much of the journal a State holds.
const stateLogEntries = 100

// State is everything that can be seen of a simulator at one moment.
type State struct {
	// Run tells this simulator from one that was there before at the same address.
	Run string `json:"run"`
	// Seq of the latest journal entry that this state contains.
	Seq       uint64     `json:"seq"`
	Now       time.Time  `json:"now"`
	Pace      float64    `json:"pace"`
	Terminals []Terminal `json:"terminals"`
	// Orders that are open.
	Orders []Order       `json:"orders"`
	Faults []fault.Fault `json:"faults"`
	// Log holds the latest entries, the oldest first.
	Log []journal.Entry `json:"log"`
	// Streams that are open.
	Streams int `json:"streams"`
	// Finished orders that are remembered.
	Finished int `json:"finished"`
	Trapped  int `json:"trapped"`
	// Guide as the options gave it.
	Guide Guide `json:"guide,omitzero"`
}

// State returns everything that can be seen now.
func (s *Simulator) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := State{
		Run: s.run, Seq: s.journal.Last, Now: s.now(), Pace: s.opts.Pace,
		Terminals: s.viewTerminals(), Orders: []Order{}, Faults: append([]fault.Fault{}, s.faults...),
		Log: []journal.Entry{}, Streams: len(s.listeners), Finished: len(s.orders.finished), Trapped: s.trapped,
		Guide: s.opts.Guide,
	}
	for _, t := range s.terminals.listed {
		if t.order != nil {
			st.Orders = append(st.Orders, s.view(t.order))
		}
	}
	entries, _ := s.journal.Since(s.journal.Last-min(s.journal.Last, stateLogEntries), stateLogEntries)
	st.Log = append(st.Log, entries...)
	return st
}

// Log returns at most limit entries after seq, oldest first. missed says that
// entries in between are no longer there.
func (s *Simulator) Log(seq uint64, limit int) (entries []journal.Entry, missed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journal.Since(seq, limit)
}

// OpenStreams is the number of event streams that are open now.
func (s *Simulator) OpenStreams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.listeners)
}

// DropStreams cuts the open event streams of an order, or all of them for the
// empty id, and returns how many there were. Clients may connect again at once.
func (s *Simulator) DropStreams(orderID string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for l, o := range s.listeners {
		if orderID == "" || o.id() == orderID {
			l.cutOff()
			n++
		}
	}
	return n
}

// Trapped is how often a client followed the redirect fault to where no client
// should go.
func (s *Simulator) Trapped() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trapped
}
