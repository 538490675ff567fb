package multisafepay

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/tmaxmax/go-sse"
	"pgregory.net/rapid"
)

// The parsing cases of the event stream format, as the WHATWG's standard
// defines it, after web-platform-tests' folder eventsource/ and LaunchDarkly's
// contract tests, every case of theirs. The data is our own. What browsers alone
// have (constructors, origins, workers) is left out; what needs a connection
// stands in the TestContract tests, and TestOtherReader asks another parser.
//
// What this reader does differently, and why (contractDeviations names the
// contract tests that it therefore fails):
//
//   - An event without a type has the type "" and not "message"; an event without
//     data is yielded with empty data instead of being swallowed. Neither makes a
//     difference: what counts is the data, and empty data is ignored.
//   - Bytes that are not UTF-8 are replaced when the JSON is read, not before.
//   - An event beyond MaxEventSize ends the connection (ErrStreamTooLarge).
//   - Comments are not reported. Nobody needs them; they do keep a stream alive.
//   - retry is reported, and it is for the follower to heed it: a server must not
//     be able to hurry the bridge's own, bounded back-off.
//   - No redirect is followed: the token would go along.
//   - The standard gives up for good on every status but 200; the bridge's
//     session decides: after 401, 403 and 410 (ErrStreamRefused) it comes back
//     with growing pauses while the token is valid, after all others, 204
//     included, with back-off.
//   - An event field behind an event field and a data line begins the next event,
//     as if a blank line stood before it: the provider's page prints its events
//     without blank lines, and each must be read as it comes. Data first and type
//     second stays one event.
//   - A stream with no Content-Type or with text/plain is read too, for the sake
//     of proxies that lose or change it.
//
// An unterminated last event is dropped, as the standard says; asking for the
// order makes good for it.

// parsed is one event as the reader gives it.
type parsed struct{ typ, id, data string }

// parseAll reads a whole stream, as Follow does.
func parseAll(t rapid.TB, r io.Reader) []parsed {
	t.Helper()
	reader := newStreamReader(r, time.Hour, func() {}, StreamHandler{})
	defer reader.stop()
	var got []parsed
	err := serverEvents(reader, func(e sse.Event) error {
		got = append(got, parsed{e.Type, e.LastEventID, e.Data})
		return nil
	})
	if !errors.Is(err, io.EOF) {
		t.Errorf("read: %v", err)
	}
	return got
}

const bom = "\xef\xbb\xbf"

var conformance = []struct {
	name, stream string
	want         []parsed
}{
	// Bare parsing.
	{"one line", "data: one\n\n", []parsed{{data: "one"}}},
	{"two events", "data: one\n\ndata: two\n\n", []parsed{{data: "one"}, {data: "two"}}},
	{"two lines", "data: one\ndata:two\n\n", []parsed{{data: "one\ntwo"}}},
	{"type", "event: tick\ndata: x\n\n", []parsed{{typ: "tick", data: "x"}}},
	{"type is of one event only", "event:tick\ndata:x\n\ndata:x\n\n", []parsed{{typ: "tick", data: "x"}, {data: "x"}}},
	{"empty type", "event: \ndata:x\n\n", []parsed{{data: "x"}}},
	{"the last type counts", "event:a\nevent:b\ndata:x\n\n", []parsed{{typ: "b", data: "x"}}},
	{"fields in any order", "data: x\nid: 7\nevent: tick\n\n", []parsed{{typ: "tick", id: "7", data: "x"}}},
	{"no blank after the colon", "event:tick\ndata:x\n\n", []parsed{{typ: "tick", data: "x"}}},
	{"only one blank is taken off", "event:  tick\ndata:  x \n\n", []parsed{{typ: " tick", data: " x "}}},
	{"a tab is not taken off", "data:\tx\rdata: \ndata:y\n\n", []parsed{{data: "\tx\n\ny"}}},
	{"colons in the value", "data:a:b: c\n\n", []parsed{{data: "a:b: c"}}},
	{"many bytes a character", "data: 10 € – 豆腐 🧾\n\n", []parsed{{data: "10 € – 豆腐 🧾"}}},
	{"bytes that are not UTF-8", "data: \xff\xe2\x82\n\n", []parsed{{data: "\xff\xe2\x82"}}},
	{"a name alone is a field", "data\ndata\n\ndata:x\n\n", []parsed{{data: "\n"}, {data: "x"}}},
	{"empty data is an event", "data:\n\ndata: \n\ndata\n\ndata:x\n\n", []parsed{{}, {}, {}, {data: "x"}}},
	{"no data is one too", "event: tick\n\ndata:x\n\n", []parsed{{typ: "tick"}, {data: "x"}}},
	{"fields that make none", "retry: 1\n\ncolor: blue\n\nid: 7\x00\n\ndata:x\n\n", []parsed{{data: "x"}}},
	{"fields that are none", "data:x\n data\ndata\nfoobar:y\njustsometext\n:a comment\ndata:z\n\n", []parsed{{data: "x\n\nz"}}},
	{"names are exact", "data:a\nData:b\nDATA:c\nda-ta:d\ndata_5\ndatax:e\n data:f\ndat:g\ndata:h\n\n", []parsed{{data: "a\nh"}}},
	{"NUL in names and values", "data:\x00\ndata\x00:2\n\x00data:4\ndata:1\n\n", []parsed{{data: "\x00\n1"}}},
	{"NUL alone", "data:\x00\n\n\n\n", []parsed{{data: "\x00"}}},
	{"everything at once", "data:\x00\ndata:  2\rData:1\ndata\x00:2\ndata:1\r\x00data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n", []parsed{{data: "\x00\n 2\n1\n3\n\n4"}}},
	{"an id without data is kept for the next", "id: 7\n\ndata: x\n\n", []parsed{{id: "7"}, {id: "7", data: "x"}}},
	{"the id stays", "id: 7\ndata: x\n\ndata: y\n\n", []parsed{{id: "7", data: "x"}, {id: "7", data: "y"}}},
	{"an empty id takes it back", "id: 7\ndata: x\n\nid\ndata: y\n\n", []parsed{{id: "7", data: "x"}, {data: "y"}}},
	{"an id changes, stays, goes and stays away", "id:1\ndata:a\n\nid:2\ndata:b\n\ndata:c\n\nid: \ndata:d\n\ndata:e\n\n", []parsed{{id: "1", data: "a"}, {id: "2", data: "b"}, {id: "2", data: "c"}, {data: "d"}, {data: "e"}}},
	{"the last id counts", "id:1\nid:  … \nid:\x00\x00\ndata:x\n\n", []parsed{{id: " … ", data: "x"}}},
	{"an id with NUL is ignored", "id: 7\ndata: x\n\nid: 8\x00\ndata: y\n\n", []parsed{{id: "7", data: "x"}, {id: "7", data: "y"}}},
	{"retry, good and bad", "retry: 3000\nretry:03000\nretry:3000x\nretry\nretry:-1\ndata: x\n\n", []parsed{{data: "x"}}},
	{"nothing", "", nil},

	// No blank line between events.
	{"no blank line between", "event:a\ndata:1\nevent:b\ndata:2\nevent:c\ndata:3\n\n", []parsed{{typ: "a", data: "1"}, {typ: "b", data: "2"}, {typ: "c", data: "3"}}},
	{"no blank line between, CRLF", "event:a\r\ndata:1\r\nevent:b\r\ndata:2\r\n\r\n", []parsed{{typ: "a", data: "1"}, {typ: "b", data: "2"}}},
	{"no blank line between, CR", "event:a\rdata:1\r:c\nevent:b\rdata:2\r\r", []parsed{{typ: "a", data: "1"}, {typ: "b", data: "2"}}},
	{"no blank line and joined and blank line", "event:a\ndata:1\nevent\ndata:2\ndata:3\nid:7\n\nevent:c\ndata:4\nevent:d\ndata:5\n\n", []parsed{{typ: "a", data: "1"}, {id: "7", data: "2\n3"}, {typ: "c", id: "7", data: "4"}, {typ: "d", id: "7", data: "5"}}},
	{"type behind data, then the next", "data:1\nevent:a\ndata:2\nevent:b\ndata:3\n\n", []parsed{{typ: "a", data: "1\n2"}, {typ: "b", data: "3"}}},
	{"names that are nearly data", "data:1\nevent:a\ndatas:2\ndata :3\ndata\x00\nevent:b\n\nevent:c\ndata\nevent:d\ndata:4\n\n", []parsed{{typ: "b", data: "1"}, {typ: "c"}, {typ: "d", data: "4"}}},
	{"type behind data, after another event", "event:a\ndata:1\n\ndata:2\nevent:b\n\n", []parsed{{typ: "a", data: "1"}, {typ: "b", data: "2"}}},
	{"names that are nearly event", "event:a\ndata:1\neven:b\ne\nevents:c\nevent :d\ndata:2\n\n", []parsed{{typ: "a", data: "1\n2"}}},

	// Ends.
	{"end before the blank line", "data: one\n\ndata: two\n", []parsed{{data: "one"}}},
	{"end in a line", "data: one\n\ndata: tw", []parsed{{data: "one"}}},
	{"end in a name", "data: one\n\nda", []parsed{{data: "one"}}},
	{"end in a comment", "data: one\n\n: tw", []parsed{{data: "one"}}},
	{"end with an id", "retry:1000\ndata:one\n\nid:7\ndata:two", []parsed{{data: "one"}}},

	// Comments.
	{"comments", "data:1\r:\x00\n:\r\ndata:2\n:" + strings.Repeat("x", 5000) + "\rdata:3\n:data:no\r:" + strings.Repeat("x", 5000) + "\ndata:4\n\n", []parsed{{data: "1\n2\n3\n4"}}},
	{"comment before", ": hello\ndata: x\n\n", []parsed{{data: "x"}}},
	{"comment event", ": hello\n\ndata: x\n\n", []parsed{{data: "x"}}},
	{"colon alone", ":\n:\n\n:\ndata: x\n:\n\n", []parsed{{data: "x"}}},

	// Line ends.
	{"CRLF", "data: one\r\n\r\ndata: two\r\ndata: three\r\n\r\n", []parsed{{data: "one"}, {data: "two\nthree"}}},
	{"CR", "data: one\r\rdata: two\rdata: three\r\r", []parsed{{data: "one"}, {data: "two\nthree"}}},
	{"all kinds", "data:a\r\ndata\ndata:b\r\n\rdata:c\n\r\ndata:d\r\n\n", []parsed{{data: "a\n\nb"}, {data: "c"}, {data: "d"}}},
	{"LF CR is two ends", "data:a\n\rdata:b\n\n", []parsed{{data: "a"}, {data: "b"}}},
	{"a dropped line between CR and LF", "data:1\r:c\n\ndata:2\rcolor\r\n\ndata:3\r:\n:\n:\n\r\ndata:4\r\r", []parsed{{data: "1"}, {data: "2"}, {data: "3"}, {data: "4"}}},
	{"blank lines", "\n\n\r\r\r\n\r\ndata: one\n\n\n\n\ndata: two\r\n\r\n\r\n\r\n", []parsed{{data: "one"}, {data: "two"}}},
	{"empty line at the beginning", "data:\ndata: 2\n\n", []parsed{{data: "\n2"}}},
	{"empty line in the middle", "data: 1\ndata:\ndata: 3\n\n", []parsed{{data: "1\n\n3"}}},
	{"other separators are none", "data:a\u2028b\u0085c\vd\fe\n\n", []parsed{{data: "a\u2028b\u0085c\vd\fe"}}},

	// Byte order marks.
	{"mark", bom + "data: x\n\n", []parsed{{data: "x"}}},
	{"mark before a type", bom + "event: tick\nid: 7\ndata: x\n\n", []parsed{{typ: "tick", id: "7", data: "x"}}},
	{"mark before two events", bom + "data:1\ndata:2\n\ndata:3\n\n", []parsed{{data: "1\n2"}, {data: "3"}}},
	{"mark before empty data", bom + "data:\n\ndata:x\n\n", []parsed{{}, {data: "x"}}},
	{"mark before a comment", bom + ":c\ndata: x\n\n", []parsed{{data: "x"}}},
	{"mark before blank lines", bom + "\r\n\r\ndata: x\n\n", []parsed{{data: "x"}}},
	{"marks later belong to the line", bom + "data:1\n\n" + bom + "data:2\n\ndata:3\n\n", []parsed{{data: "1"}, {data: "3"}}},
	{"two marks", bom + bom + "data:1\n\ndata:2\n\n", []parsed{{data: "2"}}},
	{"mark after a blank line", "\n" + bom + "data:1\n\ndata:2\n\n", []parsed{{data: "2"}}},
	{"mark after a comment", ":\n\n" + bom + "data:1\n\ndata:2\n\n", []parsed{{data: "2"}}},
	{"mark in the value", bom + "data: " + bom + "x\n\n", []parsed{{data: bom + "x"}}},
	{"mark alone", bom, nil},
	{"half a mark", "\xef\xbbdata:1\n\ndata:2\n\n", []parsed{{data: "2"}}},
}

// ends are a stream with each kind of line end, when all of it has the plain one.
func ends(stream string) []string {
	if strings.Contains(stream, "\r") {
		return []string{stream}
	}
	return []string{stream, strings.ReplaceAll(stream, "\n", "\r\n"), strings.ReplaceAll(stream, "\n", "\r")}
}

// TestConformance: whatever ends the lines, and wherever the bytes are split.
func TestConformance(t *testing.T) {
	t.Parallel()
	split := map[string]func(io.Reader) io.Reader{
		"whole":         func(r io.Reader) io.Reader { return r },
		"byte by byte":  iotest.OneByteReader,
		"two by two":    func(r io.Reader) io.Reader { return pieces{r, 2} },
		"three":         func(r io.Reader) io.Reader { return pieces{r, 3} },
		"end with data": iotest.DataErrReader,
	}
	for _, test := range conformance {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			check := func(stream, how string, r io.Reader) {
				if got := parseAll(t, r); !slices.Equal(got, test.want) {
					t.Errorf("%.200q, %s\n got %.300q\nwant %.300q", stream, how, got, test.want)
				}
			}
			for _, stream := range ends(test.stream) {
				for how, wrap := range split {
					check(stream, how, wrap(strings.NewReader(stream)))
				}
				for at := range min(len(stream), 300) {
					check(stream, fmt.Sprintf("cut at %d", at), io.MultiReader(strings.NewReader(stream[:at]), strings.NewReader(stream[at:])))
				}
			}
		})
	}
}

// pieces reads a few bytes at a time.
type pieces struct {
	io.Reader
	size int
}

func (p pieces) Read(b []byte) (int, error) { return p.Reader.Read(b[:min(p.size, len(b))]) }

// payloadSizes are around the buffers on the way.
var payloadSizes = []int{1, 128, 511, 512, 513, 1023, 1024, 1025, 2048, 3999, 4089, 4090, 4094, 4096, 4098, 6144, 8189, 8192, 8195, 12288, 16384, 32768, 65000}

// TestConformancePromptness: an event is there as soon as the blank line is,
// without waiting for what may come next.
func TestConformancePromptness(t *testing.T) {
	t.Parallel()
	const line = `data: {"order_id":"A1","status":"x"}`
	tests := map[string][]struct {
		piece string
		want  int // events so far
	}{
		"LF":                {{"event: session.order\n" + line + "\n", 0}, {"\n", 1}},
		"CR":                {{"event: session.order\r" + line + "\r", 0}, {"\r", 1}},
		"CRLF":              {{"event: session.order\r\n" + line + "\r\n", 0}, {"\r\n", 1}},
		"CRLF apart":        {{"event: session.order\r", 0}, {"\n" + line + "\r", 0}, {"\n", 0}, {"\r", 1}, {"\n", 1}, {"event: session.order\n" + line + "\n\n", 2}},
		"two in one piece":  {{"event: session.order\n" + line + "\n\nevent: session.order\n" + line + "\n\n", 2}},
		"behind a comment":  {{":\n\n:\nevent: session.order\n" + line + "\n:\n", 0}, {"\n", 1}},
		"no blank line":     {{"event: session.order\n" + line + "\n", 0}, {"event: session.order\n", 1}, {line + "\n", 1}, {"\n", 2}},
		"half of the next":  {{"event: session.order\n" + line + "\n\nevent: sess", 1}, {"ion.order\n" + line + "\n\n", 2}},
		"comment in pieces": {{":", 0}, {"hello", 0}, {"\n", 0}, {"event: session.order\n" + line + "\n\n", 1}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := follow(t)
				for _, step := range test {
					f.send(t, step.piece)
					if len(f.events) != step.want {
						t.Errorf("%d events after %q, want %d", len(f.events), step.piece, step.want)
					}
				}
				f.server.Close()
				if <-f.ended; len(f.unsettled) != 0 {
					t.Errorf("unsettled at %v", f.unsettled)
				}
			})
		})
	}
}
