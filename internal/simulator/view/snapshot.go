package view

import (
	"time"

	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/journal"
)

// Guide is what surrounds a simulator, as far as it is known.
type Guide struct {
	// Console is the address of the bridge's console.
	Console string `json:"console,omitempty"`
	// Pay is the command line that starts a payment, less the payment's own flags.
	Pay string `json:"pay,omitempty"`
	// Till is true when the page can start payments, see Options.Till.
	Till bool `json:"till,omitempty"`
}

// Snapshot is everything that can be seen of a simulator at one moment.
type Snapshot struct {
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
