package redact

import (
	"slices"
	"strings"
)

// redacted replaces whatever was removed.
const redacted = "[redacted]"

// minExact is the shortest secret that is searched for literally, in bytes.
const minExact = 4

// span is the part of a text from byte from up to byte to.
type span struct{ from, to int }

type spans []span

// remove replaces all spans, joined where they touch, by "[redacted]".
func (f spans) remove(s string, more spans) string {
	f = append(f, more...)
	if len(f) == 0 {
		return s
	}
	slices.SortFunc(f, func(a, b span) int { return a.from - b.from })
	var b strings.Builder
	done := 0
	for i := 0; i < len(f); {
		from, to := f[i].from, f[i].to
		for i++; i < len(f) && f[i].from <= to; i++ {
			to = max(to, f[i].to)
		}
		b.WriteString(s[done:from])
		b.WriteString(redacted)
		done = to
	}
	b.WriteString(s[done:])
	return b.String()
}
