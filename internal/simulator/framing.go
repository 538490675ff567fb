package simulator

import (
	"bytes"
	"strings"
)

// Ways to write an event stream that are all within the standard, and all
// unlike the provider's: the Mode of odd_framing.
const (
	FramingCR        = "cr"        // lines end with CR
	FramingCRLF      = "crlf"      // lines end with CR LF
	FramingBOM       = "bom"       // a byte order mark comes first
	FramingComments  = "comments"  // a comment in every event; heartbeats without a blank line
	FramingID        = "id"        // an id in every event
	FramingRetry     = "retry"     // a retry field in every event
	FramingMultiline = "multiline" // the data in two data lines
	FramingNoSpace   = "nospace"   // no blank after the colon
	FramingDribble   = "dribble"   // one byte at a time
	FramingMixed     = "mixed"     // BOM, CR LF, comments, id and retry together (default)
)

// framings lists every mode of odd_framing.
var framings = []string{
	FramingMixed, FramingCR, FramingCRLF, FramingBOM, FramingComments, FramingID,
	FramingRetry, FramingMultiline, FramingNoSpace, FramingDribble,
}

// Types of events on the stream.
const (
	orderEvent = "session.order"
	qrEvent    = "session.qr"
)

// framing writes events in one of the ways; empty is the provider's own.
type framing string

func (f framing) is(mode string) bool {
	if string(f) == mode {
		return true
	}
	switch mode {
	case FramingBOM, FramingCRLF, FramingComments, FramingID, FramingRetry:
		return f == FramingMixed
	}
	return false
}

func (f framing) eol() string {
	switch {
	case f.is(FramingCR):
		return "\r"
	case f.is(FramingCRLF):
		return "\r\n"
	}
	return "\n"
}

// preamble opens the stream.
func (f framing) preamble() []byte {
	if f.is(FramingBOM) {
		return []byte("\ufeff")
	}
	return nil
}

// heartbeat is a comment.
func (f framing) heartbeat() []byte {
	if f.is(FramingComments) {
		return []byte(": keep-alive" + f.eol())
	}
	return []byte(": keep-alive" + f.eol() + f.eol())
}

// lines writes an event without the blank line that ends it. An empty name or id
// is left out.
func (f framing) lines(name, data, id string) []byte {
	var b bytes.Buffer
	colon := ": "
	if f.is(FramingNoSpace) {
		colon = ":"
	}
	field := func(name, value string) {
		b.WriteString(name + colon + value + f.eol())
	}
	if f.is(FramingComments) {
		b.WriteString(": simulated" + f.eol())
	}
	if id != "" {
		field("id", id)
	}
	if f.is(FramingRetry) {
		field("retry", "10000")
	}
	if name != "" {
		field("event", name)
	}
	if first, rest, ok := strings.Cut(data, ","); ok && f.is(FramingMultiline) {
		field("data", first+",")
		field("data", rest)
	} else {
		field("data", data)
	}
	return b.Bytes()
}
