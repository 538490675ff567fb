package stream

import (
	"bytes"
	"strings"

	"github.com/posbridge/bridge/internal/simulator/fault"
)

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
	case fault.FramingBOM, fault.FramingCRLF, fault.FramingComments, fault.FramingID, fault.FramingRetry:
		return f == fault.FramingMixed
	}
	return false
}

func (f framing) eol() string {
	switch {
	case f.is(fault.FramingCR):
		return "\r"
	case f.is(fault.FramingCRLF):
		return "\r\n"
	}
	return "\n"
}

// preamble opens the stream.
func (f framing) preamble() []byte {
	if f.is(fault.FramingBOM) {
		return []byte("\ufeff")
	}
	return nil
}

// heartbeat is a comment.
func (f framing) heartbeat() []byte {
	if f.is(fault.FramingComments) {
		return []byte(": keep-alive" + f.eol())
	}
	return []byte(": keep-alive" + f.eol() + f.eol())
}

// lines writes an event without the blank line that ends it. An empty name or id
// is left out.
func (f framing) lines(name, data, id string) []byte {
	var b bytes.Buffer
	colon := ": "
	if f.is(fault.FramingNoSpace) {
		colon = ":"
	}
	field := func(name, value string) {
		b.WriteString(name + colon + value + f.eol())
	}
	if f.is(fault.FramingComments) {
		b.WriteString(": simulated" + f.eol())
	}
	if id != "" {
		field("id", id)
	}
	if f.is(fault.FramingRetry) {
		field("retry", "10000")
	}
	if name != "" {
		field("event", name)
	}
	if first, rest, ok := strings.Cut(data, ","); ok && f.is(fault.FramingMultiline) {
		field("data", first+",")
		field("data", rest)
	} else {
		field("data", data)
	}
	return b.Bytes()
}
