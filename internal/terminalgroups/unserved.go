package terminalgroups

import "fmt"

// UnservedError refuses a terminal that is known, or may be, when it is not
// certain which group's key serves it. Its text says what to write into the
// groups file. It is an ErrUnknownTerminal.
type UnservedError struct {
	Terminal string

	why   reason
	names []string
}

// reason is why a terminal is not served; the greater one says more.
type reason int

const (
	// reasonForbidden: a group's key may not list terminals. names: the group.
	reasonForbidden reason = iota
	// reasonUnclear: the list is that of the account. names: the group of the key,
	// and the provider's number of the terminal's group.
	reasonUnclear
	// reasonInactive: it is switched off. names: the group.
	reasonInactive
)

func (e *UnservedError) Error() string {
	switch e.why {
	case reasonForbidden:
		return fmt.Sprintf("no terminal group is known to serve terminal %s, and the provider does not let the key of group %s list its terminals: name them in the groups file, terminals: [%s, …]",
			e.Terminal, e.names[0], e.Terminal)
	case reasonUnclear:
		group := "a group that the provider does not name"
		advice := ""
		if e.names[1] != "" {
			group = "the provider's group " + e.names[1]
			advice = fmt.Sprintf("give the group whose key that is id: %q, or ", e.names[1])
		}
		return fmt.Sprintf("terminal %s is in %s, but the key of group %s lists terminals of several groups: in the groups file, %sname the terminal in the group whose key serves it, terminals: [%s, …]",
			e.Terminal, group, e.names[0], advice, e.Terminal)
	}
	return fmt.Sprintf("terminal %s of group %s is not active at the provider: activate it there, or name it in the groups file, terminals: [%s, …]",
		e.Terminal, e.names[0], e.Terminal)
}

// Is makes it an ErrUnknownTerminal.
func (e *UnservedError) Is(target error) bool { return target == ErrUnknownTerminal }
