package simulator

import (
	"net/http"
	"time"

	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/journal"
)

// Outage cuts every open event stream and keeps the provider away for d: calls
// and streams are answered with status, or cut for 0. It returns how many streams
// were cut. An outage of no time ends one.
func (s *Simulator) Outage(d time.Duration, status int) int {
	dropped := s.DropStreams("")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = outage{until: s.now().Add(d), status: status}
	s.journal.Note(journal.Entry{Kind: journal.KindFault, Text: "the provider is away for " + d.String()})
	return dropped
}

// awayNow tells whether the provider is away, and how it answers then.
func (s *Simulator) awayNow() (status int, away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.away.status, s.now().Before(s.away.until)
}

// whileAway answers for a provider that is away; false when it is not.
func (s *Simulator) whileAway(w http.ResponseWriter) bool {
	status, away := s.awayNow()
	switch {
	case !away:
		return false
	case status == 0:
		panic(http.ErrAbortHandler)
	}
	refusalOf(fault.Fault{Status: status}).send(w)
	return true
}
