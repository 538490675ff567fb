package multisafepay

import (
	"context"
	"io"
	"time"
)

// settleAfter is how long a data line may lie there before whoever follows the
// stream is told that no event came of it.
const settleAfter = 200 * time.Millisecond

// chunkSize is how much is read of a body at a time.
const chunkSize = 4 << 10

// streamReader lies between a stream's body and the parser of server-sent
// events, and does what that parser cannot:
//
//   - it gives up a stream without a byte for the idle limit; only the time
//     spent waiting for bytes counts, not the time a handler blocks;
//   - it takes out comments, other lines that can be no field, and blank lines
//     that end nothing, so that heartbeats never pile up in the parser's buffer;
//   - it puts the blank line in that the provider's page leaves out between one
//     event and the next;
//   - it notices a data line that no blank line follows.
//
// It also serialises the calls of the handler.
type streamReader struct {
	body io.Reader
	idle time.Duration
	// silence fires after idle without a byte; it runs only during a Read of body.
	silence *time.Timer
	// settle fires settleAfter after a data line began.
	settle    *time.Timer
	unsettled func()

	// chunk is what was read last. out is what is left of it for the parser, in
	// buffer, and err what came with it.
	chunk, buffer, out []byte
	err                error

	// turn holds a token while the handler is called or what follows is
	// touched. It is a channel and not a mutex because a handler may block for
	// long, and a bubble of testing/synctest is idle only when whoever waits for
	// the turn waits on a channel.
	turn    chan struct{}
	lines   lineFilter
	stopped bool
}

// newStreamReader reads body; onIdle must make a Read of it return.
func newStreamReader(body io.Reader, idle time.Duration, onIdle, unsettled func()) *streamReader {
	r := &streamReader{body: body, idle: idle, unsettled: unsettled, turn: make(chan struct{}, 1), chunk: make([]byte, chunkSize)}
	r.silence = time.AfterFunc(idle, onIdle)
	r.silence.Stop()
	r.settle = time.AfterFunc(settleAfter, r.onSettle)
	r.settle.Stop()
	return r
}

// Read implements io.Reader. It never returns 0 bytes without an error.
func (r *streamReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.out) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.silence.Reset(r.idle)
		n, err := r.body.Read(r.chunk)
		r.silence.Stop()
		r.err = err
		r.filter(r.chunk[:n])
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	return n, nil
}

// filter keeps in out what the parser must see of p, and keeps the settle timer.
func (r *streamReader) filter(p []byte) {
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	began := r.lines.began
	r.buffer = r.lines.filter(r.buffer[:0], p)
	r.out = r.buffer
	switch {
	case !r.lines.data:
		r.settle.Stop()
	case r.lines.began != began:
		// A timer that runs for an earlier line of the same event is left
		// alone, so that a steady drip of lines cannot put it off for ever.
		if r.lines.armed {
			break
		}
		r.lines.armed = true
		r.settle.Reset(settleAfter)
	}
}

// onSettle runs on the timer's goroutine.
func (r *streamReader) onSettle() {
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	if r.stopped || !r.lines.data || !r.lines.armed {
		return
	}
	r.lines.armed = false
	if r.unsettled != nil {
		r.unsettled()
	}
}

// call runs a function of the handler, unless the stream is over: then it
// returns false.
func (r *streamReader) call(ctx context.Context, f func()) bool {
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	if ctx.Err() != nil {
		return false
	}
	if f != nil {
		f()
	}
	return true
}

// stop ends the timers; when it has returned the handler is not called any more.
func (r *streamReader) stop() {
	r.silence.Stop()
	r.settle.Stop()
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	r.stopped = true
}

// lineFilter follows the lines of an event stream byte by byte, across reads.
type lineFilter struct {
	// bom counts the bytes of a byte order mark at the start of the stream;
	// beyond its length that start is over.
	bom int
	// inLine is true after the first byte of a line.
	inLine bool
	// drop is true within a line that is a comment or can be no field.
	drop bool
	// name counts the bytes of "data" that the line consists of so far; -1 when
	// it began otherwise, or goes on.
	name int
	// held counts the bytes of "event" at the start of a line that wait for the
	// byte behind them: only then is it known whether they are that field's name.
	held int
	// typed is true when the event has an event field, and ripe when a data line
	// began after it: the next event field belongs to the next event.
	typed, ripe bool
	// last is the last byte that stayed.
	last byte
	// pending is true when the event has a line that stays.
	pending bool
	// data is true when the event has the name of a data line, and what ends it.
	data bool
	// began counts data lines; armed is true while the settle timer runs for one
	// of the present event.
	began uint64
	armed bool
	// after is what becomes of a line feed that comes next: it belongs to the
	// carriage return before it.
	after afterCR
}

type afterCR uint8

const (
	notAfterCR afterCR = iota
	keptCR
	droppedCR
)

const (
	dataField     = "data"
	eventField    = "event"
	byteOrderMark = "\xef\xbb\xbf"
)

// filter appends what stays of p to out, which grows at most by a blank line
// for every event and the few bytes that were held before.
func (f *lineFilter) filter(out, p []byte) []byte {
	for _, c := range p {
		if f.held > 0 {
			if f.hold(c) {
				continue
			}
			if !f.drop {
				out = f.eventLine(out)
			}
		}
		if lone := f.after == notAfterCR; f.keep(c) {
			if c == '\n' && lone && f.last == '\r' {
				// A blank line behind lines that were taken out: a line feed would
				// belong to the carriage return before them.
				c = '\r'
			}
			f.last = c
			out = append(out, c)
		}
	}
	return out
}

// hold tells whether c goes on with the name of the event field. When it does
// not, either the name is complete, or the line is no field and dropped: nothing
// else begins with an e.
func (f *lineFilter) hold(c byte) bool {
	if f.held < len(eventField) && c == eventField[f.held] {
		f.held++
		return true
	}
	f.drop = f.held < len(eventField) || c != ':' && c != '\n' && c != '\r'
	f.held = 0
	return false
}

// eventLine begins the line of an event field, behind a blank line when the
// event before has both type and data already.
func (f *lineFilter) eventLine(out []byte) []byte {
	if f.ripe {
		// The same byte again: a line feed behind a carriage return would end
		// no second line.
		out = append(out, f.last)
		f.endEvent()
	}
	f.pending, f.typed = true, true
	f.last = eventField[len(eventField)-1]
	return append(out, eventField...)
}

// keep tells whether a byte stays.
func (f *lineFilter) keep(c byte) bool {
	if f.bom < len(byteOrderMark) {
		if c == byteOrderMark[f.bom] {
			f.bom++
			return false
		}
		if f.bom > 0 { // half a mark: the line is no field
			f.inLine, f.drop = true, true
		}
		f.bom = len(byteOrderMark)
	}
	after := f.after
	f.after = notAfterCR
	if c == '\n' && after != notAfterCR {
		return after == keptCR
	}
	if c == '\n' || c == '\r' {
		kept := f.endLine()
		if c == '\r' {
			f.after = droppedCR
			if kept {
				f.after = keptCR
			}
		}
		return kept
	}
	if !f.inLine {
		f.inLine, f.name = true, 0
		// The fields are data, event, id and retry.
		if c == 'e' {
			f.held, f.name = 1, -1
			return false
		}
		f.drop = c != 'd' && c != 'i' && c != 'r'
		f.pending = f.pending || !f.drop
	}
	if f.drop {
		return false
	}
	switch {
	case f.name < 0:
	case f.name < len(dataField) && c == dataField[f.name]:
		f.name++
	default:
		if f.name == len(dataField) && c == ':' {
			f.dataLine()
		}
		f.name = -1
	}
	return true
}

// dataLine notes that the present line is one of data.
func (f *lineFilter) dataLine() {
	f.data, f.ripe = true, f.typed
	f.began++
}

// endLine tells whether the line's end stays.
func (f *lineFilter) endLine() bool {
	wasLine, dropped := f.inLine, f.drop
	f.inLine, f.drop = false, false
	if wasLine {
		if !dropped && f.name == len(dataField) { // the name alone
			f.dataLine()
		}
		return !dropped
	}
	ends := f.pending // a blank line: the event's end, if there is one
	f.endEvent()
	return ends
}

// endEvent forgets the event that a blank line ended.
func (f *lineFilter) endEvent() {
	f.pending, f.data, f.armed, f.typed, f.ripe = false, false, false, false, false
}
