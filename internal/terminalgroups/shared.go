package terminalgroups

import (
	"fmt"
	"strings"
	"sync"
)

// SharedError refuses a terminal that the provider lists in several groups while
// the file names it in none: an order that is made with the wrong group's key is
// lost to every later call. It is an ErrUnknownTerminal.
type SharedError struct {
	Terminal string
	// Groups are their ids, in the order of the file.
	Groups []string
}

// namedGroups are those that the error names before it only counts them.
const namedGroups = 5

func (e *SharedError) Error() string {
	groups := strings.Join(e.Groups[:min(len(e.Groups), namedGroups)], ", ")
	if more := len(e.Groups) - namedGroups; more > 0 {
		groups += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("the provider lists terminal %s for the keys of more than one terminal group (%s): in the groups file, name it in the group that it belongs to, terminals: [%s, …], or give each group the provider's number as its id", e.Terminal, groups, e.Terminal)
}

// Is makes it an ErrUnknownTerminal.
func (e *SharedError) Is(target error) bool { return target == ErrUnknownTerminal }

// shared remembers the terminals that were refused for being in several groups,
// and in which. There are no more than the provider lists. The zero value is
// ready for use.
type shared struct {
	mu   sync.Mutex
	told map[string]string // terminal → groups
}

// note tells whether this is news.
func (s *shared) note(terminal, groups string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.told[terminal] == groups {
		return false
	}
	if s.told == nil {
		s.told = make(map[string]string)
	}
	s.told[terminal] = groups
	return true
}

// forget makes the next refusal news again.
func (s *shared) forget(terminal string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.told, terminal)
}
