package simulator

import (
	"regexp"
	"strconv"
	"strings"
)

// Bounds of what the journal shows of the bytes on a stream.
const (
	maxRedacted = 8 << 10 // bytes that are looked at
	maxRaw      = 2 << 10 // bytes that are shown
)

// longNumber is what a card number may look like.
var longNumber = regexp.MustCompile(`[0-9]{13,19}`)

// redact returns the beginning of out for people to read: without the events
// token, and without what may be a card number. The order's own numbers stay.
func (c *streamConn) redact(out []byte) string {
	raw := strings.ToValidUTF8(string(out[:min(len(out), maxRedacted)]), "�")
	raw = strings.ReplaceAll(raw, c.token, "[events token]")
	if len(out) > maxRedacted { // the cut may have gone through a token
		raw = clip(raw, max(0, len(raw)-len(c.token)))
	}
	own := []string{strconv.FormatInt(c.order.number, 10), c.order.create.OrderID, c.order.session}
	return longNumber.ReplaceAllStringFunc(raw, func(number string) string {
		for _, known := range own {
			if strings.Contains(known, number) {
				return number
			}
		}
		if !luhn(number) {
			return number
		}
		return "[card number]"
	})
}

// luhn tells whether the last digit is the check digit of a card number.
func luhn(number string) bool {
	sum := 0
	for i := range len(number) {
		digit := int(number[len(number)-1-i] - '0')
		if i%2 == 1 {
			if digit *= 2; digit > 9 {
				digit -= 9
			}
		}
		sum += digit
	}
	return sum%10 == 0
}
