package redact

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxScrub is how much of a text is examined, in bytes, because that takes time.
// Of a longer text at most the first half of this is shown, so that a secret that
// begins there is seen to its end.
const maxScrub = 16 << 10

// Scrubber removes secrets and card numbers from text that comes from outside.
// The zero value knows no secret and removes what looks like one. A Scrubber is
// a value that never changes, so it may be used concurrently.
type Scrubber struct {
	exact []string
}

// NewScrubber removes the given secrets too, also as they are written within
// JSON and URLs. Secrets shorter than four characters are ignored.
func NewScrubber(secrets ...Secret) Scrubber {
	var s Scrubber
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

// And returns a Scrubber that knows the secrets of both.
func (c Scrubber) And(other Scrubber) Scrubber {
	switch {
	case len(c.exact) == 0:
		return other
	case len(other.exact) == 0:
		return c
	}
	return Scrubber{exact: slices.Concat(c.exact, other.exact)}
}

// Holds tells whether one of the known secrets occurs in s. What merely looks
// like a secret does not count: it may be an id.
func (c Scrubber) Holds(s string) bool {
	return slices.ContainsFunc(c.exact, func(secret string) bool { return strings.Contains(s, secret) })
}

// HoldsCardNumber tells whether something in s may be a card number.
func HoldsCardNumber(s string) bool { return len(cardNumbers(s)) > 0 }

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

// Text returns s with everything that looks secret replaced by "[redacted]",
// as valid UTF-8.
func (c Scrubber) Text(s string) string {
	long := len(s) > maxScrub
	s = strings.ToValidUTF8(Cut(s, maxScrub), "\ufffd")
	var found spans
	if long {
		found = append(found, span{len(Cut(s, maxScrub/2)), len(s)})
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

// Line is Text for one line of at most limit characters.
func (c Scrubber) Line(s string, limit int) string {
	s = c.Text(s)
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

// Cut returns the first limit bytes of s, not splitting a character.
func Cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
