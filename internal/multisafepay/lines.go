package multisafepay

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
		wasLine := f.inLine
		kept := f.endLine()
		if c == '\r' {
			f.after = droppedCR
			if kept && wasLine { // behind an event's end a line feed is one byte too many
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

// between tells whether all that stayed so far are whole events.
func (f *lineFilter) between() bool { return !f.pending && !f.inLine && f.held == 0 }

// endEvent forgets the event that a blank line ended.
func (f *lineFilter) endEvent() {
	f.pending, f.data, f.armed, f.typed, f.ripe = false, false, false, false, false
}
