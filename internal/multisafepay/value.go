package multisafepay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/posbridge/bridge/internal/redact"
)

// decode reads a JSON object into a struct; false when it is none. It takes raw
// control characters in strings for what they stand for, as in the answer that
// the provider's own page shows.
func decode(body []byte, to any) bool {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return false
	}
	return json.Unmarshal(body, to) == nil || json.Unmarshal(escapeControls(body), to) == nil
}

// escapeControls escapes the control characters that stand raw in JSON strings.
func escapeControls(body []byte) []byte {
	escaped := make([]byte, 0, len(body)+64)
	inside, backslash := false, false
	for _, c := range body {
		switch {
		case backslash:
			backslash = false
		case inside && c < ' ':
			escaped = fmt.Appendf(escaped, `\u%04x`, c)
			continue
		case inside && c == '\\':
			backslash = true
		case c == '"':
			inside = !inside
		}
		escaped = append(escaped, c)
	}
	return escaped
}

// text returns a JSON string, or a JSON integer in its own digits; nothing and
// null are "". ok is false for anything else. raw is the value of a document
// that was parsed, so it is well formed.
func text(raw json.RawMessage) (s string, ok bool) {
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return "", true
	case raw[0] == '"':
		if plain := raw[1 : len(raw)-1]; isPlain(plain) {
			return string(plain), true
		}
		return s, json.Unmarshal(raw, &s) == nil
	case isInteger(raw):
		return string(raw), true
	}
	// 8.9e7 and 89000000.0 are integers too, as long as no digit is lost.
	f, err := strconv.ParseFloat(string(raw), 64)
	const exact = 1 << 53
	if err != nil || f < -exact || f > exact || f != float64(int64(f)) {
		return "", false
	}
	return strconv.FormatInt(int64(f), 10), true
}

// isPlain tells whether the inside of a JSON string says what it reads: nothing
// escaped, nothing beyond ASCII.
func isPlain(inside []byte) bool {
	for _, c := range inside {
		if c < ' ' || c > '~' || c == '\\' || c == '"' {
			return false
		}
	}
	return true
}

// isInteger tells whether raw is digits, with a minus sign or without.
func isInteger(raw []byte) bool {
	digits := bytes.TrimPrefix(raw, []byte("-"))
	return len(digits) > 0 && len(bytes.Trim(digits, "0123456789")) == 0
}

// integer returns a JSON integer, also one in a string.
func integer(raw json.RawMessage) (int64, bool) {
	s, ok := text(raw)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// normalStatus returns a status in lower case, without blanks around it. ok is
// false for what cannot be one: want 1 to 64 of a-z 0-9 _ - and blanks.
func normalStatus(s string) (status string, ok bool) {
	s = strings.Trim(s, " ")
	if len(s) == 0 || len(s) > 64 {
		return "", false
	}
	b := []byte(s)
	for i, c := range b {
		switch {
		case c >= 'A' && c <= 'Z':
			b[i] = c + 'a' - 'A'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_', c == ' ', c == '-':
		default:
			return "", false
		}
	}
	return string(b), true
}

// label returns s if it is a plain id of at most limit visible ASCII
// characters, else "".
func label(s string, limit int) string {
	if len(s) > limit || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ""
	}
	return s
}

// safeID returns s if it is a plain id of at most limit visible ASCII characters
// and contains none of the secrets that hide knows, else "".
func safeID(hide redact.Scrubber, s string, limit int) string {
	if s = label(s, limit); hide.Holds(s) {
		return ""
	}
	return s
}

// safeStatus is normalStatus of s; ok is false too when s contains a known
// secret or what may be a card number.
func safeStatus(hide redact.Scrubber, s string) (status string, ok bool) {
	if hide.Holds(s) || redact.HoldsCardNumber(s) {
		return "", false
	}
	return normalStatus(s)
}

// plainString returns a JSON string, "" for anything else.
func plainString(raw json.RawMessage) string {
	if len(raw) == 0 || raw[0] != '"' {
		return ""
	}
	s, _ := text(raw)
	return s
}

// members returns the members of a JSON object, none for anything else.
func members(raw json.RawMessage) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	return m
}

// boolean returns a JSON truth value, also one that is written as a number or
// in a string; nil for anything else.
func boolean(raw json.RawMessage) *bool {
	switch s, _ := text(raw); {
	case string(raw) == "true", s == "true", s == "1":
		return new(true)
	case string(raw) == "false", s == "false", s == "0":
		return new(false)
	}
	return nil
}

// amount returns an amount of money, 0 for none and for anything that is none.
func amount(raw json.RawMessage) int64 {
	n, _ := integer(raw)
	return max(n, 0)
}

// The forms of a point in time: those that name a time zone, and those that do not.
var (
	instantLayouts  = []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 Z0700"}
	zonelessLayouts = []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05"}
)

// about returns a point in time; one without a time zone is read as UTC, and is at
// most 14 hours away from that. It is zero for anything that is none.
func about(raw json.RawMessage) time.Time {
	return pointInTime(raw, slices.Concat(instantLayouts, zonelessLayouts))
}

// instant returns a point in time; zero for one without a time zone, and for
// anything that is none.
func instant(raw json.RawMessage) time.Time { return pointInTime(raw, instantLayouts) }

func pointInTime(raw json.RawMessage, layouts []string) time.Time {
	s := plainString(raw)
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
