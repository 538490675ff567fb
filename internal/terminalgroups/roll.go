package terminalgroups

import (
	"slices"

	"github.com/posbridge/bridge/internal/multisafepay"
)

// roll is what the provider answered when it was asked for a key's terminals.
type roll struct {
	rows map[string]row // by terminal
	// groups are the provider's numbers of the groups whose terminals are in it.
	groups []string
}

type row struct {
	// group is the provider's number of the terminal's group, "" when it does not say.
	group  string
	active bool
}

func newRoll(terminals []multisafepay.Terminal) roll {
	r := roll{rows: make(map[string]row, len(terminals))}
	for _, t := range terminals {
		r.rows[t.ID] = row{group: t.GroupID, active: t.Active}
		if t.GroupID != "" && !slices.Contains(r.groups, t.GroupID) {
			r.groups = append(r.groups, t.GroupID)
		}
	}
	slices.Sort(r.groups)
	return r
}

// claim is what a key's list says of one terminal.
type claim int

const (
	// absent: it is not in the list, or of another group for certain.
	absent claim = iota
	// inactive: it is in the group, and switched off.
	inactive
	// unclear: the list has terminals of several groups, and does not say which of
	// them the key is of.
	unclear
	// likely: it is in the list, which is that of one group.
	likely
	// certain: the list says that it is in the group of this number.
	certain
)

// claim tells what the list says of a terminal for the group with an id.
func (r roll) claim(terminal, id string) claim {
	t, listed := r.rows[terminal]
	ofGroup := listed && t.group == id && id != ""
	switch {
	case !listed:
		return absent
	case !ofGroup && slices.Contains(r.groups, id): // the list knows the group, and the terminal is in another
		return absent
	case !ofGroup && len(r.groups) > 1:
		return unclear
	case !t.active:
		return inactive
	case ofGroup:
		return certain
	}
	return likely
}
