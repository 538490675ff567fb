package terminalgroups

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/posbridge/bridge/internal/multisafepay"
)

// table is the content of a file, and what the provider said of its groups.
type table struct {
	groups []Group
	// known are the groups by id, with those that the file had before: their open
	// payments go on to use their keys.
	known map[string]Group
	// named holds the terminals that the file lists.
	named map[string]Group
	// asked are the groups whose terminals the provider is asked for, in the
	// order of the file.
	asked []*listing
	// all serves every terminal, when there is no file.
	all *Group
}

// listingOf keeps what the provider said of a group that has not changed. The
// table may be nil.
func (t *table) listingOf(g Group) *listing {
	if t != nil {
		for _, l := range t.asked {
			if l.group.ID == g.ID && l.group.Key.Equal(g.Key) {
				return l
			}
		}
	}
	return &listing{group: g}
}

// standing is what all listings together know of one terminal.
type standing struct {
	// holders are the groups whose last good answer holds it, one of each key: with
	// the same key it does not matter which. One that holds it for certain leaves
	// no other.
	holders []Group
	// old are the listings whose last good answer should be renewed.
	old []*listing
	// asking: an answer of some group is on its way.
	asking bool
	// unheard is how much longer to wait for a group that was never asked before, or
	// that is being asked and has said nothing since a holder's list came: the terminal
	// may be new in both. renewing is how much longer to wait for the next answer of a
	// holder; 0 and less is not at all.
	unheard, renewing time.Duration
	// failure is what was wrong with the last answer of the first group that could
	// not be asked, nil if none.
	failure error
	// refusal says why the terminal is not served although it is known, nil if it
	// is not known.
	refusal *UnservedError
}

// look gathers what is known of a terminal.
func (t *table) look(terminal string) standing {
	var s standing
	var sure []Group
	newest := t.newest(terminal)
	for _, l := range t.asked {
		l.mu.Lock()
		left := patience
		if l.asking {
			s.asking = true
			left -= time.Since(l.began)
		}
		said := l.roll.claim(terminal, l.group.ID)
		switch {
		case said >= likely:
			s.holders = addHolder(s.holders, l.group)
			if said == certain {
				sure = addHolder(sure, l.group)
			}
			if l.asking {
				s.renewing = max(s.renewing, left)
			}
		case l.answered.IsZero() && l.err == nil, l.asking && l.answered.Before(newest):
			s.unheard = max(s.unheard, left)
		case mayNotList(l.err):
			s.refuse(&UnservedError{Terminal: terminal, Group: l.group.ID, why: forbidden})
		case l.err != nil && s.failure == nil:
			s.failure = l.err
		case said == inactive:
			s.refuse(&UnservedError{Terminal: terminal, Group: l.group.ID, why: switchedOff})
		case said == unclear:
			s.refuse(&UnservedError{Terminal: terminal, Group: l.group.ID, why: ambiguous, number: l.roll.rows[terminal].group})
		}
		if time.Since(l.fresh) > maxListAge {
			s.old = append(s.old, l)
		}
		l.mu.Unlock()
	}
	if len(sure) > 0 {
		s.holders = sure
	}
	return s
}

// newest is when the newest list that has the terminal came, without saying for
// certain whose it is; zero when there is none.
func (t *table) newest(terminal string) (at time.Time) {
	for _, l := range t.asked {
		l.mu.Lock()
		if l.roll.claim(terminal, l.group.ID) == likely && l.fresh.After(at) {
			at = l.fresh
		}
		l.mu.Unlock()
	}
	return at
}

// refuse notes why a terminal is not served; the strongest reason counts.
func (s *standing) refuse(e *UnservedError) {
	if s.refusal == nil || e.why > s.refusal.why {
		s.refusal = e
	}
}

// addHolder adds a group unless there is one with its key.
func addHolder(holders []Group, g Group) []Group {
	if slices.ContainsFunc(holders, func(other Group) bool { return other.Key.Equal(g.Key) }) {
		return holders
	}
	return append(holders, g)
}

// mayNotList tells whether the provider does not let a key list terminals. It
// may be good for orders all the same.
func mayNotList(err error) bool {
	failed, ok := errors.AsType[*multisafepay.Error](err)
	return ok && failed.Status == http.StatusForbidden
}
