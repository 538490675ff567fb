package simulator

import (
	"strconv"
	"time"
)

// MaxTerminals of all groups together.
const MaxTerminals = 100_000

// Group is a terminal group: the terminals that one API key serves.
type Group struct {
	// ID as the terminals list shows it. The provider's are numbers; another
	// name is shown as a made-up number.
	ID string
	// APIKey of the group. It is never shown again by the simulator.
	APIKey string
	// Terminals by id, see subjects.CheckTerminal.
	Terminals []string
}

// fleet is every terminal.
type fleet struct {
	groups []*group
	byKey  map[string]*group
	byID   map[string]*terminal
	listed []*terminal // in the order of Settings.Groups
}

func newFleet(groups []Group, manual bool, now time.Time) fleet {
	f := fleet{byKey: map[string]*group{}, byID: map[string]*terminal{}}
	for i, g := range groups {
		made := &group{id: g.ID, key: g.APIKey, number: int64(57_958 + i)}
		if n, err := strconv.ParseInt(g.ID, 10, 64); err == nil {
			made.number = n
		}
		for _, id := range g.Terminals {
			t := newTerminal(id, made, manual, now)
			made.terminals = append(made.terminals, t)
			f.byID[id] = t
			f.listed = append(f.listed, t)
		}
		f.groups = append(f.groups, made)
		f.byKey[g.APIKey] = made
	}
	return f
}
