package journal

import (
	"regexp"
	"strings"
)

// Bounds of what the journal shows of the bytes on a stream.
const (
	maxRedacted = 8 << 10 // bytes that are looked at
	maxRaw      = 2 << 10 // bytes that are shown
)

// longNumber is what a card number may look like.
var longNumber = regexp.MustCompile(`[0-9]{13,19}`)

// Redact returns the beginning of what went out on a stream for people to read:
// without the events token, and without numbers as long as a card's, but for
// those that belong to the order.
func Redact(out []byte, token string, own ...string) string {
	raw := strings.ToValidUTF8(string(out[:min(len(out), maxRedacted)]), "�")
	raw = strings.ReplaceAll(raw, token, "[events token]")
	if len(out) > maxRedacted { // the cut may have gone through a token
		raw = Clip(raw, max(0, len(raw)-len(token)))
	}
	raw = longNumber.ReplaceAllStringFunc(raw, func(number string) string {
		for _, known := range own {
			if strings.Contains(known, number) {
				return number
			}
		}
		return "[card number]"
	})
	return Clip(raw, maxRaw)
}
