package terminalgroups

import "fmt"

// UnservedError refuses a terminal that is known, or may be, when it is not
// certain which group's key serves it. Its text says what to write into the
// groups file. It is an ErrUnknownTerminal.
type UnservedError struct {
	Terminal string
	// Group is the id of the group whose list, or lack of one, is the reason.
	Group string

	why reason
	// number is the provider's number of the terminal's group, "" if it has none.
	number string
}

// reason is why a terminal is not served; the greater one says more.
type reason int

const (
	// forbidden: the group's key may not list terminals.
	forbidden reason = iota
	// ambiguous: the key's list is that of the account.
	ambiguous
	// switchedOff: the terminal is not active.
	switchedOff
)

func (e *UnservedError) Error() string {
	name := fmt.Sprintf("name it in the groups file, in the group whose key serves it, terminals: [%s, …]", e.Terminal)
	switch {
	case e.why == forbidden:
		return fmt.Sprintf("no group is known to serve terminal %s, and the key of group %s may not list its terminals: %s", e.Terminal, e.Group, name)
	case e.why == switchedOff:
		return fmt.Sprintf("terminal %s of group %s is not active at the provider: activate it there, or %s", e.Terminal, e.Group, name)
	case e.number == "":
		return fmt.Sprintf("the provider does not say which group terminal %s is in, and the key of group %s lists those of several: %s", e.Terminal, e.Group, name)
	}
	return fmt.Sprintf("terminal %s is in the provider's group %s, and the key of group %s lists terminals of several groups: give the group whose key it is id: %q in the groups file, or %s",
		e.Terminal, e.number, e.Group, e.number, name)
}

// Is makes it an ErrUnknownTerminal.
func (e *UnservedError) Is(target error) bool { return target == ErrUnknownTerminal }
