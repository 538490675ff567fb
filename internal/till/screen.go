package till

import (
	"cmp"
	"fmt"
	"io"
	"os"

	"github.com/mattn/go-isatty"
)

// Screen is where a command writes: lines to its output, remarks to its error
// output, and on a terminal window one live line below them that is drawn over
// and over. It is not for several goroutines.
type Screen struct {
	// Program is how a person calls this program again; pos-bridge if empty. Flags
	// are those that every command needs, such as --context.
	Program, Flags string

	out, err io.Writer
	live     bool // out can draw a line again
	colour   bool
	drawn    bool  // the live line stands there now
	failed   error // the first write to out that failed
}

func (s *Screen) program() string { return cmp.Or(s.Program, "pos-bridge") }

// command is a command line of this program that a person can copy.
func (s *Screen) command(format string, args ...any) string {
	line := s.program() + " " + fmt.Sprintf(format, args...)
	if s.Flags != "" {
		line += " " + s.Flags
	}
	return line
}

// NewScreen looks at what the writers are: colours and the live line are for
// terminal windows alone, and not for those that cannot do it (TERM=dumb) or
// whose owner does not want colours (NO_COLOR).
func NewScreen(out, err io.Writer, getenv func(string) string) *Screen {
	live := isTerminal(out) && getenv("TERM") != "dumb"
	return &Screen{out: out, err: err, live: live, colour: live && getenv("NO_COLOR") == ""}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// Live tells whether Draw draws.
func (s *Screen) Live() bool { return s.live }

// Err is the first error in writing the output, such as a full disk.
func (s *Screen) Err() error { return s.failed }

// Line writes a line of output.
func (s *Screen) Line(line string) { _, _ = s.Write([]byte(line + "\n")) } // Err keeps it

// Write writes output that ends in a newline. The error is also kept for Err.
func (s *Screen) Write(lines []byte) (int, error) {
	s.Clear()
	n, err := s.out.Write(lines)
	if err != nil && s.failed == nil {
		s.failed = fmt.Errorf("write output: %w", err)
	}
	return n, err
}

// JSON writes a message of the bus as one JSON line of output. What is not JSON
// is left out with a remark.
func (s *Screen) JSON(message []byte) {
	line, err := jsonLine(message)
	if err != nil {
		s.Note("a message that is not JSON was left out")
		return
	}
	_, _ = s.Write(line) // Err keeps it
}

// Note writes a remark to the error output.
func (s *Screen) Note(line string) {
	s.Clear()
	_, _ = fmt.Fprintln(s.err, line) // there is nowhere to say that it is lost
}

// Draw shows line as the live line. It must be short: a line that wraps cannot
// be drawn over.
func (s *Screen) Draw(line string) {
	if !s.live {
		return
	}
	_, _ = fmt.Fprint(s.out, "\r\x1b[2K"+line) // decoration
	s.drawn = true
}

// Clear takes the live line away.
func (s *Screen) Clear() {
	if s.drawn {
		_, _ = fmt.Fprint(s.out, "\r\x1b[2K") // decoration
		s.drawn = false
	}
}

// paint colours text by its mood, on a terminal window that wants colours.
func (s *Screen) paint(m mood, text string) string {
	if !s.colour {
		return text
	}
	switch m {
	case good:
		return "\x1b[32m" + text + "\x1b[0m"
	case warning:
		return "\x1b[33m" + text + "\x1b[0m"
	case bad:
		return "\x1b[31m" + text + "\x1b[0m"
	}
	return text
}

// dim is for what matters less.
func (s *Screen) dim(text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[2m" + text + "\x1b[0m"
}
