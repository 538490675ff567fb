package redact

import "unicode/utf8"

// Lengths of a card number, and how many blanks and dashes may stand between
// two of its digits.
const (
	minCardDigits = 13
	maxCardDigits = 19
	maxCardGap    = 3
)

// cardNumbers finds every sequence of 13 to 19 digits, blanks, dashes and dots
// between them or not, that passes the Luhn check; also inside longer runs of
// digits. It rather removes a number that was none than lets one pass.
func cardNumbers(s string) spans {
	var found spans
	var run digits
	gap := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= '0' && c <= '9' {
			run = append(run, digit{value: c - '0', at: i})
			gap = 0
			i++
			continue
		}
		size := 1
		r := rune(c)
		if c >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
		}
		gap++
		if gap > maxCardGap || !isCardGap(r) {
			found = run.cards(found)
			run = run[:0]
		}
		i += size
	}
	return run.cards(found)
}

// isCardGap tells whether r may stand between the digits of a card number.
func isCardGap(r rune) bool {
	switch r {
	case ' ', '\t', '\n', '\r', '-', '.', '_', '\u00a0', '\u202f', '\u2212':
		return true
	}
	return r >= '\u2000' && r <= '\u2015' // blanks and dashes of typographers
}

// digit is one digit and the byte where it stands.
type digit struct {
	value byte
	at    int
}

type digits []digit

// cards appends the span of every window that may be a card number.
func (d digits) cards(found spans) spans {
	for from := 0; from+minCardDigits <= len(d); from++ {
		longest := 0
		for n := minCardDigits; n <= maxCardDigits && from+n <= len(d); n++ {
			if d[from : from+n].luhn() {
				longest = n
			}
		}
		if longest > 0 {
			found = append(found, span{d[from].at, d[from+longest-1].at + 1})
		}
	}
	return found
}

// luhn tells whether the last digit is the right check digit.
func (d digits) luhn() bool {
	sum := 0
	for i := range d {
		v := int(d[len(d)-1-i].value)
		if i%2 == 1 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}
