package till

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// knownLimit is how long a command waits to learn which terminals there are, when
	// nothing else depends on it.
	knownLimit = 3 * time.Second
	// shownTerminals is how many terminals are named.
	shownTerminals = 8
)

// unknown says that a terminal is none of those that the bridge knows. It is empty if it
// is one of them, or if it is not known which there are.
func unknown(terminal string, known []string) string {
	if terminal == "" || len(known) == 0 || slices.Contains(known, terminal) {
		return ""
	}
	shown := make([]string, 0, shownTerminals)
	for _, id := range known[:min(len(known), shownTerminals)] {
		shown = append(shown, Printable(id, 36))
	}
	more := ""
	if rest := len(known) - len(shown); rest > 0 {
		more = fmt.Sprintf(" and %d more", rest)
	}
	return fmt.Sprintf("the bridge does not know terminal %s; it knows %s%s", terminal, strings.Join(shown, ", "), more)
}

// checkTerminal notes that the bridge does not know a terminal. Whoever may not ask for
// all terminals learns nothing.
func (t *Till) checkTerminal(ctx context.Context, screen *Screen, terminal string) {
	if terminal == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, knownLimit)
	defer cancel()
	list, _, err := t.List(ctx)
	if err != nil {
		return
	}
	if text := unknown(terminal, list.Terminals); text != "" {
		screen.Note(text)
	}
}
