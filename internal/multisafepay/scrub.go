package multisafepay

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of text that people may read.
const (
	// maxInfo is the longest Error.Info, in characters.
	maxInfo = 300
	// maxInvalidData is the longest InvalidEvent.Data, in bytes.
	maxInvalidData = 4 << 10
	// maxScrub is how much of a text is looked at, in bytes, for that takes time.
	// Of a longer text the first half of it is shown at most: a secret that
	// begins there is seen to its end.
	maxScrub = 2 * maxToken
	// minExact is the shortest secret that is searched for literally.
	minExact = 4
)

// scrubber removes secrets and card numbers from text of the provider's. The
// zero value knows no secret by heart and removes what looks like one.
type scrubber struct {
	exact []string
}

// newScrubber knows the given secrets, also as they look within JSON and URLs.
func newScrubber(secrets ...Secret) scrubber {
	var s scrubber
	for _, secret := range secrets {
		value := secret.Reveal()
		if len(value) < minExact {
			continue
		}
		s.exact = append(s.exact, value, url.QueryEscape(value), url.PathEscape(value))
		if quoted, err := json.Marshal(value); err == nil {
			s.exact = append(s.exact, string(quoted[1:len(quoted)-1]))
		}
	}
	slices.Sort(s.exact)
	s.exact = slices.Compact(s.exact)
	return s
}

// and knows the secrets of both.
func (c scrubber) and(other scrubber) scrubber {
	switch {
	case len(c.exact) == 0:
		return other
	case len(other.exact) == 0:
		return c
	}
	return scrubber{exact: slices.Concat(c.exact, other.exact)}
}

// id returns s if it is a plain id of at most limit visible ASCII characters and
// none of the known secrets stands in it, else "". What merely looks like a
// secret may be an id.
func (c scrubber) id(s string, limit int) string {
	s = label(s, limit)
	for _, secret := range c.exact {
		if strings.Contains(s, secret) {
			return ""
		}
	}
	return s
}

// status is normalStatus of s, unless a known secret or a card number stands in it.
func (c scrubber) status(s string) (status string, ok bool) {
	for _, secret := range c.exact {
		if strings.Contains(s, secret) {
			return "", false
		}
	}
	if len(cardNumbers(s)) > 0 {
		return "", false
	}
	return normalStatus(s)
}

// value is what a member or a parameter holds, whole or cut.
const value = `(?P<v>\\*"(?:\\.|[^"\\])*"?|'[^']*'?|\{[^}]*\}?|\[[^\]]*\]?|[^\s,;&}\])]+)`

// patterns find what looks like a secret. A group named "v" is removed, else
// the whole match.
var patterns = []*regexp.Regexp{
	// JSON web tokens, whole or cut: base64 of an opening brace and a quote or blank.
	regexp.MustCompile(`ey[JA][A-Za-z0-9_.-]{8,}`),
	// Whatever follows the authentication scheme.
	regexp.MustCompile(`(?i)\bbearer[ \t]+(?P<v>[^\s"',;]{6,})`),
	// Long opaque strings: API keys have 40 characters, tokens hundreds. Session
	// ids (39) and UUIDs (36) stay readable.
	regexp.MustCompile(`[A-Za-z0-9_+/=.:~-]{40,}`),
	// Members and parameters whose names say that nobody should read them.
	regexp.MustCompile(`(?i)(?:api[_-]?key|token|authorization|secret|password|signature|card_number|card_expiry_date|card_holder(?:_name)?|last4|last_4|cvv|cvc|emv|pan|track[12]?)\\*["']?\s*[:=]\s*` + value),
	// Members and parameters about the card's holder. Before a colon such a name
	// is quoted: "first_name: too long" is for people to read.
	regexp.MustCompile(`(?i)(?:holder(?:_?name)?|(?:first|middle|last|full|sur)_?name|iban|expir(?:y|ation)(?:_?(?:date|month|year))?)(?:\\*["']\s*[:=]|\s*=)\s*` + value),
}

// text returns s with everything that looks secret replaced by "[redacted]",
// as valid UTF-8.
func (c scrubber) text(s string) string {
	long := len(s) > maxScrub
	s = strings.ToValidUTF8(cut(s, maxScrub), "\ufffd")
	var found spans
	if long {
		found = append(found, span{len(cut(s, maxScrub/2)), len(s)})
	}
	for _, secret := range c.exact {
		for at := 0; ; {
			i := strings.Index(s[at:], secret)
			if i < 0 {
				break
			}
			found = append(found, span{at + i, at + i + len(secret)})
			at += i + 1
		}
	}
	for _, pattern := range patterns {
		group := 2 * max(pattern.SubexpIndex("v"), 0)
		for _, m := range pattern.FindAllStringSubmatchIndex(s, -1) {
			found = append(found, span{m[group], m[group+1]})
		}
	}
	return found.remove(s, cardNumbers(s))
}

// line is text for one line of at most limit characters.
func (c scrubber) line(s string, limit int) string {
	s = c.text(s)
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' || (r >= 0x80 && r < 0xa0) {
			return ' '
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	n := 0
	for i := range s {
		if n == limit-1 {
			return s[:i] + "…"
		}
		n++
	}
	return s
}

// cut returns the first limit bytes of s, not splitting a character.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

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
