package orders

import (
	"strconv"
	"time"
)

// MaxTerminals of all groups together.
const MaxTerminals = 100_000

// GroupOptions is a terminal group: the terminals that one API key serves.
type GroupOptions struct {
	// ID as the terminals list shows it. The provider's are numbers; another
	// name is shown as a made-up number.
	ID string
	// APIKey of the group. It is never shown again by the simulator.
	APIKey string
	// Terminals by id, see subjects.CheckTerminal.
	Terminals []string
}

// Fleet is every terminal.
type Fleet struct {
	Groups []*Group
	ByKey  map[string]*Group
	ByID   map[string]*Terminal
	Listed []*Terminal // in the order of Settings.Groups
}

func newFleet(groups []GroupOptions, manual bool, now time.Time) Fleet {
	f := Fleet{ByKey: map[string]*Group{}, ByID: map[string]*Terminal{}}
	for i, g := range groups {
		made := &Group{ID: g.ID, Key: g.APIKey, Number: int64(57_958 + i)}
		if n, err := strconv.ParseInt(g.ID, 10, 64); err == nil {
			made.Number = n
		}
		for _, id := range g.Terminals {
			t := newTerminal(id, made, manual, now)
			made.Terminals = append(made.Terminals, t)
			f.ByID[id] = t
			f.Listed = append(f.Listed, t)
		}
		f.Groups = append(f.Groups, made)
		f.ByKey[g.APIKey] = made
	}
	return f
}
