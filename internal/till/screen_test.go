package till

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestScreenThatIsNoTerminal(t *testing.T) {
	t.Parallel()
	var out, notes bytes.Buffer
	s := NewScreen(&out, &notes, func(string) string { return "" })
	s.Draw("live")
	s.Line(s.paint(bad, "line") + s.dim(" dim"))
	s.Note("note")
	s.Clear()
	if got, want := out.String(), "line dim\n"; got != want || s.Live() {
		t.Errorf("got %q, live %t, want %q", got, s.Live(), want)
	}
	if got, want := notes.String(), "note\n"; got != want {
		t.Errorf("got remarks %q, want %q", got, want)
	}
}

func TestScreenThatIsATerminal(t *testing.T) {
	t.Parallel()
	var window bytes.Buffer // out and error output are one window
	s := &Screen{out: &window, err: &window, live: true, colour: true}
	s.Draw("one")
	s.Draw("two")
	s.Line(s.paint(good, "ok"))
	s.Draw("three")
	s.Note("note")
	s.Clear()
	want := "\r\x1b[2Kone\r\x1b[2Ktwo\r\x1b[2K\x1b[32mok\x1b[0m\n\r\x1b[2Kthree\r\x1b[2Knote\n"
	if got := window.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestScreenLeavesOutWhatIsNotJSON(t *testing.T) {
	t.Parallel()
	var out, notes bytes.Buffer
	s := NewScreen(&out, &notes, func(string) string { return "" })
	s.JSON([]byte(`{"a": 1}`))
	s.JSON([]byte(`{"a": `))
	if got, want := out.String(), "{\"a\":1}\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := notes.String(); !strings.Contains(got, "not JSON") {
		t.Errorf("got remarks %q", got)
	}
}

type full struct{}

var errFull = errors.New("disk full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestScreenKeepsTheFirstError(t *testing.T) {
	t.Parallel()
	s := NewScreen(full{}, full{}, func(string) string { return "" })
	if err := s.Err(); err != nil {
		t.Errorf("got %v before any output", err)
	}
	s.Note("lost, and no matter")
	if err := s.Err(); err != nil {
		t.Errorf("got %v after a remark", err)
	}
	s.Line("lost")
	if err := s.Err(); !errors.Is(err, errFull) {
		t.Errorf("got %v, want %v", err, errFull)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	table := table{right: []bool{1: true}}
	table.add("NAME", "AMOUNT", "END")
	table.add("é", "1", "")
	table.add("longer", "1000000", "x")
	got := strings.Join(table.lines(), "\n")
	want := "NAME     AMOUNT  END\né             1\nlonger  1000000  x"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
