package till

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// maxShown bounds a text from outside that is shown to a person, in characters.
const maxShown = 300

// unprintable stands for whatever a terminal window might obey instead of show.
const unprintable = '\uFFFD'

// Printable returns text with every character replaced that a terminal window
// might act on or that could make the text look like another: controls, escape
// sequences, bidirectional marks, invalid UTF-8. Blanks of all kinds become
// plain ones. What is longer than limit characters is cut and ends in "…".
func Printable(text string, limit int) string {
	var b strings.Builder
	count := 0
	for _, r := range text {
		if count == limit {
			b.WriteRune('…')
			break
		}
		count++
		switch {
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case !unicode.IsPrint(r):
			b.WriteRune(unprintable)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

var errNotJSON = errors.New("not JSON")

// jsonLine returns a message of the bus as one line: the same JSON value with
// the blanks between its tokens removed, and with everything escaped that a
// terminal window might act on.
func jsonLine(message []byte) ([]byte, error) {
	var line bytes.Buffer
	if err := json.Compact(&line, message); err != nil || !utf8.Valid(message) {
		return nil, errNotJSON
	}
	if !bytes.ContainsFunc(line.Bytes(), escapes) {
		return append(line.Bytes(), '\n'), nil
	}
	escaped := make([]byte, 0, line.Len()+64)
	for _, r := range line.String() { // only inside strings can such characters stand
		switch {
		case !escapes(r):
			escaped = utf8.AppendRune(escaped, r)
		case r < 0x10000:
			escaped = fmt.Appendf(escaped, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			escaped = fmt.Appendf(escaped, `\u%04x\u%04x`, high, low)
		}
	}
	return append(escaped, '\n'), nil
}

func escapes(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }
