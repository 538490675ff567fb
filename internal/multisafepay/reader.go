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
const chunkSize = 512

// streamReader lies between a stream's body and the parser of server-sent
// events, and does what that parser cannot:
//
//   - it gives up a stream without a byte for the idle limit; only the time
//     spent waiting for bytes counts, not the time a handler blocks;
//   - it takes out comments, other lines that can be no field, and blank lines
//     that end nothing, so that heartbeats never pile up in the parser's buffer;
//   - it puts the blank line in that the provider's page leaves out between one
//     event and the next;
//   - it notices a data line that no blank line follows;
//   - it reads the server's advice when to come back ("retry:");
//   - it ends the parser's input when an event has ended and nothing more is there.
//
// It also serialises the calls of the handler.
type streamReader struct {
	body io.Reader
	// silence ends the stream after the idle limit without a byte; it runs only
	// during a Read of body.
	silence *silence
	// settle fires settleAfter after a data line began; nil until the first that was
	// read without its end.
	settle *time.Timer
	// handler's Unsettled and Retry are called from here.
	handler StreamHandler

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
	advice  retryAdvice
	stopped bool
}

// newStreamReader reads body; onIdle must make a Read of it return.
func newStreamReader(body io.Reader, idle time.Duration, onIdle func(), h StreamHandler) *streamReader {
	return &streamReader{
		body: body, silence: newSilence(idle, onIdle), handler: h, turn: make(chan struct{}, 1), chunk: make([]byte, chunkSize),
	}
}

// more waits until there is something for a new parser, and reports false when the
// stream is over. An event without an id goes on with the last one, so the parser reads
// that first, as an event of its own.
func (r *streamReader) more(lastID string) bool {
	for len(r.out) == 0 && r.err == nil {
		r.fill()
	}
	if len(r.out) == 0 {
		return false
	}
	if lastID != "" {
		r.out = append([]byte(idEvent(lastID)), r.out...)
	}
	return true
}

// idEvent is an event that makes an id the last one. It is not longer than the event
// that had the id.
func idEvent(id string) string {
	if id[0] == ' ' {
		id = " " + id // a parser takes one blank off
	}
	return "id:" + id + "\n\n"
}

// Read implements io.Reader for one parser, see more. It never returns 0 bytes
// without an error.
func (r *streamReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.out) == 0 {
		switch {
		case r.err != nil:
			return 0, r.err
		case r.lines.between():
			return 0, io.EOF
		}
		r.fill()
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	return n, nil
}

// fill reads what comes next of the body.
func (r *streamReader) fill() {
	r.silence.begin()
	n, err := r.body.Read(r.chunk)
	r.silence.end()
	r.err = err
	r.filter(r.chunk[:n])
}

// filter keeps in out what the parser must see of p, and keeps the settle timer.
func (r *streamReader) filter(p []byte) {
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	began := r.lines.began
	r.buffer = r.lines.filter(r.buffer[:0], p)
	r.out = r.buffer
	if wait, ok := r.advice.read(r.out); ok && r.handler.Retry != nil && !r.stopped {
		r.handler.Retry(wait)
	}
	switch {
	case !r.lines.data:
		r.unsettle()
	case r.lines.began != began:
		// A timer that runs for an earlier line of the same event is left
		// alone, so that a steady drip of lines cannot put it off for ever.
		if r.lines.armed {
			break
		}
		r.lines.armed = true
		if r.settle == nil {
			r.settle = time.AfterFunc(settleAfter, r.onSettle)
		} else {
			r.settle.Reset(settleAfter)
		}
	}
}

// unsettle stops the settle timer. It needs the turn.
func (r *streamReader) unsettle() {
	if r.settle != nil {
		r.settle.Stop()
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
	if r.handler.Unsettled != nil {
		r.handler.Unsettled()
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
	r.silence.end()
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	r.unsettle()
	r.stopped = true
}
