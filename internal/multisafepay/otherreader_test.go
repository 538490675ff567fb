package multisafepay

import (
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/launchdarkly/eventsource"
	"pgregory.net/rapid"
)

// readElsewhere reads a stream with a decoder that shares no code with ours.
func readElsewhere(t rapid.TB, stream string) []parsed {
	t.Helper()
	var got []parsed
	for d := eventsource.NewDecoder(strings.NewReader(stream)); ; {
		e, err := d.Decode()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return got
		}
		if err != nil {
			t.Fatalf("the other reader: %v", err)
		}
		got = append(got, parsed{e.Event(), e.(eventsource.EventWithLastID).LastEventID(), e.Data()})
	}
}

var (
	aLine      = regexp.MustCompile(`[^\r\n]*(\r\n|\r|\n|$)`)
	eventStart = regexp.MustCompile(`^event(:|[\r\n])`)
	dataStart  = regexp.MustCompile(`^data(:|[\r\n])`)
)

// forElsewhere makes a stream one that the other decoder must read as we do: it
// puts the blank line in that we read before an event's second event field, and
// takes the byte order mark off, which the other one does not know.
func forElsewhere(stream string) string {
	var b strings.Builder
	typed, ripe := false, false
	for _, line := range aLine.FindAllString(strings.TrimPrefix(stream, bom), -1) {
		switch {
		case strings.Trim(line, "\r\n") == "":
			typed, ripe = false, false
		case eventStart.MatchString(line):
			if ripe {
				b.WriteString("\n\n") // one alone would belong to a carriage return
			}
			typed, ripe = true, false
		case dataStart.MatchString(line):
			ripe = typed
		}
		b.WriteString(line)
	}
	return b.String()
}

// checkElsewhere compares the events of both readers, without those that have
// neither type nor data: there each has its own idea of what is an event.
func checkElsewhere(t rapid.TB, stream string, cut []int) {
	t.Helper()
	empty := func(e parsed) bool { return e.typ == "" && e.data == "" }
	got := slices.DeleteFunc(parseAll(t, &cutReader{strings.NewReader(stream), cut}), empty)
	want := slices.DeleteFunc(readElsewhere(t, forElsewhere(stream)), empty)
	if !slices.Equal(got, want) {
		t.Errorf("%q in pieces of %d\n got %.500q\nthey %.500q", stream, cut, got, want)
	}
}

// cutReader reads pieces of these sizes, again and again.
type cutReader struct {
	io.Reader
	cut []int
}

func (r *cutReader) Read(p []byte) (int, error) {
	n := r.cut[0]
	r.cut = append(r.cut[1:], n)
	return r.Reader.Read(p[:min(n, len(p))])
}

// drawStream draws lines: those that matter, those that nearly do, and others.
func drawStream(t *rapid.T) string {
	plain := rapid.SampledFrom([]string{"data", "data:x", "data: y", "event", "event:a", "event: session.order", "id", "id:7", ":", ":c", "", "", ""})
	names := rapid.SampledFrom([]string{
		"data", "data", "event", "id", "retry", "", "dat", "datas", "Data", " data", "data ", "even", "events", "e",
		"i", "ids", "id\x00", "r", "color", "\x00data", bom, bom + "data", bom + "event", "\xef", "\xef\xbb",
	})
	separators := rapid.SampledFrom([]string{":", ": ", ":  ", "", "::", " :"})
	words := rapid.SampledFrom([]string{
		"", "a", "7", " ", ":", "\x00", "\t", "…", "\xff", bom, "data: x", "event: x", `{"order_id":"A1"}`,
		strings.Repeat("x", chunkSize-7), strings.Repeat("y", chunkSize+1),
	})
	ends := []string{"\n", "\r", "\r\n"}
	if rapid.Bool().Draw(t, "one kind of end") {
		ends = []string{rapid.SampledFrom(ends).Draw(t, "kind")}
	}
	end := rapid.SampledFrom(ends)
	stream := rapid.SampledFrom([]string{"", "", bom, bom + bom, "\xef\xbb"}).Draw(t, "start")
	for range rapid.IntRange(0, 15).Draw(t, "lines") {
		if rapid.IntRange(0, 3).Draw(t, "odd") == 3 {
			stream += names.Draw(t, "name") + separators.Draw(t, "separator") + words.Draw(t, "word") + words.Draw(t, "word")
		} else {
			stream += plain.Draw(t, "line")
		}
		stream += end.Draw(t, "end")
	}
	if rapid.Bool().Draw(t, "complete") {
		stream += "\n\n"
	}
	return stream
}

// TestOtherReader: another decoder finds the same events in any stream.
func TestOtherReader(t *testing.T) {
	t.Parallel()
	for _, test := range conformance {
		checkElsewhere(t, test.stream, []int{chunkSize})
	}
	rapid.Check(t, func(t *rapid.T) {
		for range 5 {
			checkElsewhere(t, drawStream(t), rapid.SliceOfN(rapid.SampledFrom([]int{1, 2, 3, 7, chunkSize - 1, chunkSize}), 1, 4).Draw(t, "pieces"))
		}
	})
}

// FuzzOtherReader: as TestOtherReader, of bytes that nobody thought of.
func FuzzOtherReader(f *testing.F) {
	for _, test := range conformance {
		f.Add(test.stream, uint(1))
	}
	f.Fuzz(func(t *testing.T, stream string, piece uint) {
		if len(stream) > MaxEventSize/2 {
			t.Skip("may be too large an event")
		}
		checkElsewhere(t, stream, []int{1 + int(piece%chunkSize)})
	})
}
