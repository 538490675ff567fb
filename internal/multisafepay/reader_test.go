package multisafepay

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/tmaxmax/go-sse"

	"github.com/posbridge/bridge/internal/redact"
)

// following is a stream that is read in a bubble, with the test as its server.
type following struct {
	server    *io.PipeWriter
	events    []string
	unsettled []time.Duration // since the start
	ended     chan error
	start     time.Time
}

// follow reads a stream with an idle limit of a minute.
func follow(t *testing.T, change ...func(*StreamHandler)) *following {
	t.Helper()
	body, server := io.Pipe()
	f := &following{server: server, ended: make(chan error, 1), start: time.Now()}
	ctx, cancel := context.WithCancelCause(t.Context())
	h := collect(&f.events)
	h.Unsettled = func() { f.unsettled = append(f.unsettled, time.Since(f.start)) }
	for _, c := range change {
		c(&h)
	}
	go func() {
		r := newStreamReader(body, time.Minute, func() {
			cancel(ErrStreamIdle)
			body.CloseWithError(context.Canceled)
		}, h)
		err := (&Client{}).read(ctx, r, redact.Secret{}, h)
		r.stop()
		cancel(nil)
		f.ended <- err
	}()
	return f
}

func (f *following) send(t *testing.T, s string) {
	t.Helper()
	if _, err := io.WriteString(f.server, s); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

const dataLine = "event: session.order\ndata: {\"order_id\":\"A1\",\"status\":\"completed\"}\n"

func TestUnsettled(t *testing.T) {
	t.Parallel()
	const s = settleAfter
	tests := map[string]struct {
		send   func(t *testing.T, f *following)
		want   []time.Duration
		events int
	}{
		"a whole event":        {func(t *testing.T, f *following) { f.send(t, dataLine+"\n") }, nil, 1},
		"forgotten blank line": {func(t *testing.T, f *following) { f.send(t, dataLine) }, []time.Duration{s}, 0},
		"forgotten line end":   {func(t *testing.T, f *following) { f.send(t, strings.TrimSuffix(dataLine, "\n")) }, []time.Duration{s}, 0},
		"blank line comes late": {func(t *testing.T, f *following) {
			f.send(t, dataLine)
			time.Sleep(10 * s)
			f.send(t, "\n")
		}, []time.Duration{s}, 1},
		"blank line in time": {func(t *testing.T, f *following) {
			f.send(t, dataLine)
			time.Sleep(s - 1)
			f.send(t, "\n")
		}, nil, 1},
		"every event of a server that always forgets": {func(t *testing.T, f *following) {
			for range 3 {
				f.send(t, dataLine)
				time.Sleep(10 * s)
			}
		}, []time.Duration{s, 11 * s, 21 * s}, 2},
		"a drip of lines cannot put it off": {func(t *testing.T, f *following) {
			for range 7 {
				f.send(t, "data: {\n")
				time.Sleep(s * 2 / 5)
			}
		}, []time.Duration{s, s * 11 / 5, s * 17 / 5}, 0},
		"a drip of bytes counts once": {func(t *testing.T, f *following) {
			for _, c := range dataLine {
				f.send(t, string(c))
				time.Sleep(s / 4)
			}
		}, []time.Duration{time.Duration(len("event: session.order\ndata"))*s/4 + s}, 0},
		"second event begins behind the first": {func(t *testing.T, f *following) {
			f.send(t, dataLine+"\n"+dataLine)
		}, []time.Duration{s}, 1},
		"comments and fields without data": {func(t *testing.T, f *following) {
			f.send(t, ": data: x\nevent: session.order\nid: 7\nretry: 5\ndat: 1\nxdata: 5\n")
		}, nil, 0},
		"comment in between": {func(t *testing.T, f *following) {
			f.send(t, dataLine)
			time.Sleep(s / 2)
			f.send(t, ":\n:\r\n")
		}, []time.Duration{s}, 0},
		"end of the stream": {func(t *testing.T, f *following) {
			f.send(t, dataLine)
			f.server.Close()
		}, nil, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := follow(t)
				test.send(t, f)
				time.Sleep(30 * s)
				f.server.Close()
				if err := <-f.ended; !errors.Is(err, ErrStreamEnded) {
					t.Errorf("Follow = %v, want an orderly end", err)
				}
				if len(f.events) != test.events {
					t.Errorf("%d events, want %d", len(f.events), test.events)
				}
				if len(f.unsettled) != len(test.want) {
					t.Fatalf("unsettled at %v, want %v", f.unsettled, test.want)
				}
				for i, at := range f.unsettled {
					if at != test.want[i] {
						t.Errorf("unsettled at %v, want %v", f.unsettled, test.want)
					}
				}
			})
		})
	}
}

// TestOneCallAtATime: Unsettled waits for Event, and the other way round.
func TestOneCallAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls, most := 0, 0
		busy := func() {
			calls++
			most = max(most, calls)
			time.Sleep(5 * time.Second)
			calls--
		}
		f := follow(t, func(h *StreamHandler) {
			inner := h.Event
			h.Event = func(e StreamEvent) { inner(e); busy() }
			h.Unsettled = busy
		})
		f.send(t, dataLine)
		time.Sleep(time.Second) // Unsettled is at work
		f.send(t, "\n"+dataLine)
		time.Sleep(7 * time.Second)
		f.send(t, "\n")
		f.server.Close()
		<-f.ended
		if most != 1 || len(f.events) != 2 {
			t.Errorf("%d calls at a time and %d events, want 1 and 2", most, len(f.events))
		}
	})
}

// TestNoCallAfterTheEnd: the timer of an open data line dies with the stream.
func TestNoCallAfterTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := follow(t)
		f.send(t, dataLine)
		time.Sleep(settleAfter - 1)
		f.server.CloseWithError(io.ErrUnexpectedEOF)
		if err := <-f.ended; Reason(err) != ReasonTransport {
			t.Errorf("Follow = %v, want a transport error", err)
		}
		time.Sleep(time.Minute)
		if len(f.unsettled) != 0 {
			t.Errorf("unsettled at %v, after the end", f.unsettled)
		}
	})
}

func TestIdleCountsWaitingOnly(t *testing.T) {
	t.Parallel()
	t.Run("a byte now and then", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			f := follow(t)
			for range 10 {
				f.send(t, ":")
				time.Sleep(59 * time.Second)
			}
			f.send(t, "\n"+dataLine+"\n")
			time.Sleep(time.Minute)
			if err := <-f.ended; !errors.Is(err, ErrStreamIdle) || len(f.events) != 1 {
				t.Errorf("Follow = %v after %d events, want ErrStreamIdle after one", err, len(f.events))
			}
			if took, want := time.Since(f.start), 651*time.Second; took < want-2*time.Second || took > want {
				t.Errorf("took %s, want a minute after the last byte", took)
			}
		})
	})
	t.Run("not while a handler blocks", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			f := follow(t, func(h *StreamHandler) {
				inner := h.Event
				h.Event = func(e StreamEvent) { inner(e); time.Sleep(time.Hour) }
			})
			go func() {
				_, _ = io.WriteString(f.server, dataLine+"\n")
				_, _ = io.WriteString(f.server, dataLine+"\n")
				f.server.Close()
			}()
			if err := <-f.ended; !errors.Is(err, ErrStreamEnded) || len(f.events) != 2 {
				t.Errorf("Follow = %v after %d events, want an orderly end after two", err, len(f.events))
			}
		})
	})
}

// TestLineFilter: however the bytes are split, the same stays.
func TestLineFilter(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"":                              "",
		"\n\n\r\r\n":                    "",
		"data: a\n\n":                   "data: a\n\n",
		"data: a\n\n\n\n":               "data: a\n\n",
		":c\ndata: a\n:c\n\n":           "data: a\n\n",
		":c\r\ndata: a\r\n:c\r\n\r\n":   "data: a\r\n\r",
		":c\rdata: a\r:c\r\r":           "data: a\r\r",
		"\rdata: a\r\n\r\n\r\n":         "data: a\r\n\r",
		"data: a\n\r\n\ndata: b\n\n":    "data: a\n\rdata: b\n\n",
		"a:b:c\n\n":                     "",
		"event:b:c\n\n":                 "event:b:c\n\n",
		"ping\ndata: a\n\x00\n\n":       "data: a\n\n",
		"\xef\xbb\xbf:c\n\ndata: x\n\n": "data: x\n\n",
		"\xef\xbb\xbf\xef\xbb\xbfdata: x\n\ndata: y\n\n": "data: y\n\n",
		"\n\xef\xbb\xbfdata: x\n\ndata: y\n\n":           "data: y\n\n",
		"\xef\xbbdata: x\n\ndata: y\n\n":                 "data: y\n\n",
		"\xefdata: x\n\ndata: y\n\n":                     "data: y\n\n",
		"\xef\n\ndata: y\n\n":                            "data: y\n\n",
		"\xef\xbb\xbf":                                   "",
		"\n\ndata: a":                                    "data: a",
		":":                                              "",
		": data: a\n\n":                                  "",
	}
	for in, want := range tests {
		for _, wrap := range []func(io.Reader) io.Reader{
			func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader,
		} {
			r := newStreamReader(wrap(strings.NewReader(in)), time.Hour, func() {}, StreamHandler{})
			got, err := readParts(r)
			r.stop()
			if !errors.Is(err, io.EOF) || string(got) != want {
				t.Errorf("filter(%q) = %q, %v; want %q", in, got, err, want)
			}
		}
	}
}

// readParts reads what all parsers get, and what ended the stream.
func readParts(r *streamReader) (all []byte, err error) {
	for r.more("") {
		part, err := io.ReadAll(r)
		all = append(all, part...)
		if err != nil {
			return all, err
		}
	}
	return all, r.err
}

// TestEventLimitAfterALongID: a long id does not make room for longer events behind it.
func TestEventLimitAfterALongID(t *testing.T) {
	t.Parallel()
	const around = "data: " + "\n\n"
	long := strings.Repeat("7", MaxEventSize-10)
	for size, want := range map[int]error{MaxEventSize: io.EOF, MaxEventSize + 1: bufio.ErrTooLong} {
		r := newStreamReader(io.MultiReader(
			strings.NewReader("id: "+long+"\n\n"),
			strings.NewReader("data: a\n\ndata: "+strings.Repeat("x", size-len(around))+"\n\n"),
		), time.Hour, func() {}, StreamHandler{})
		err := serverEvents(r, func(e sse.Event) error {
			if e.LastEventID != long {
				t.Errorf("an event has the id %.20q", e.LastEventID)
			}
			return nil
		})
		r.stop()
		if !errors.Is(err, want) {
			t.Errorf("after an event of %d bytes: %v, want %v", size, err, want)
		}
	}
}

func TestStreamReaderKeepsErrors(t *testing.T) {
	t.Parallel()
	failure := errors.New("x")
	r := newStreamReader(io.MultiReader(strings.NewReader(":c\ndata"), iotest.ErrReader(failure)), time.Hour, func() {}, StreamHandler{})
	defer r.stop()
	got, err := readParts(r)
	if !errors.Is(err, failure) || !bytes.Equal(got, []byte("data")) {
		t.Errorf("ReadAll = %q, %v; want data and the error", got, err)
	}
	if n, err := r.Read(nil); n != 0 || err != nil {
		t.Errorf("Read of nothing = %d, %v", n, err)
	}
}
