package bridge

import (
	"slices"
	"strings"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/schema"
)

// judge checks the promises after a run, from what the server stored, what the
// provider did and what the tills were told. It uses none of the bridge's code.
func (r *run) judge() audit {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	ok := true
	broken := func(format string, args ...any) {
		ok = false
		r.t.Errorf(format, args...)
	}
	a := r.audit
	if locked := r.server.Locked(); len(locked) > 0 {
		broken("promise 4: terminals left locked: %v", locked)
	}
	if records := r.server.LiveRecords(); len(records) > 0 {
		broken("promise 3: records left: %v", records)
	}
	orders := map[string]bool{}
	for id := range r.said {
		orders[id] = true
	}
	for id := range r.world.orders {
		orders[id] = true
	}
	for id := range orders {
		terminal, _, _ := strings.Cut(id, "-")
		statuses := r.server.Statuses(terminal, id)
		o := r.world.orders[id]
		said := r.said[id]
		a.Statuses += len(statuses)
		if o != nil {
			a.Orders++
			if o.creates != 1 {
				broken("promise 2: order %s was created %d times", id, o.creates)
			}
		}
		var published []string
		for i, s := range statuses {
			e := s.Event
			published = append(published, e.Status)
			if e.Source == "reconcile" {
				a.Reconciled++
			}
			checkEvent(broken, id, statuses, i)
			if e.Status == "unresolved" {
				a.Unresolved++
				if o != nil && !over(o.history) {
					broken("promise 3: order %s was given up while it is open: %v", id, o.history)
				}
				if o != nil && e.ObservedAt.Sub(s.StartedAt) < simTimeout {
					broken("promise 1: order %s exists and was given up after %s", id, e.ObservedAt.Sub(s.StartedAt))
				}
			}
		}
		shown := slices.DeleteFunc(slices.Clone(published), func(s string) bool { return s == "unresolved" })
		switch {
		case o == nil && len(shown) > 0:
			broken("promise 1: order %s does not exist and has statuses %v", id, published)
		case o == nil:
		case !subsequence(shown, o.history):
			broken("promise 1: order %s: published %v, the provider showed %v", id, published, o.history)
		case o.withdrawn && len(published) == 0:
			a.Withdrawn++ // created too late, and cancelled by the bridge itself
		case len(published) == 0:
			broken("promise 1: order %s has no status; the provider showed %v, the till was told %v", id, o.history, said)
		case !statuses[len(statuses)-1].Event.Final:
			broken("promise 3: order %s has no final status: %v of %v", id, published, o.history)
		case !over(published) && !slices.Contains(published, "reversed") && !slices.Contains(published, "unresolved"):
			broken("promise 1: order %s: published %v, the provider showed %v", id, published, o.history)
		}
		if o != nil && len(published) > 0 && r.lossless {
			if missing := lost(o, published); missing != "" {
				broken("promise 1: order %s: %s was shown to a replica that had to pass it on, and not published: %v of %v", id, missing, published, o.history)
			}
		}
		for _, s := range said {
			nothing := s.code == schema.ProviderUnavailable || s.code == schema.ProviderRejected || s.code == schema.ProviderError
			if s.code == "" && s.status != "unresolved" && o == nil {
				broken("order %s: the till was told that it exists, and it does not", id)
			}
			if nothing && len(said) == 1 && o != nil && !o.withdrawn {
				broken("order %s: the till was told %s, and the provider has it: %v", id, s.code, o.history)
			}
		}
	}
	if !ok {
		r.t.Logf("seed %d: the provider's orders:\n%s", r.seed, r.world)
	}
	return a
}

// checkEvent holds one event to those before it.
func checkEvent(broken func(string, ...any), id string, statuses []bus.Status, i int) {
	e := statuses[i].Event
	var before schema.StatusEvent
	if i > 0 {
		before = statuses[i-1].Event
	}
	final := map[string]bool{"completed": true, "cancelled": true, "reversed": true, "unresolved": true}
	switch {
	case e.Sequence != uint64(i+1):
		broken("promise 1: order %s: event %d has sequence %d", id, i+1, e.Sequence)
	case e.PreviousStatus != before.Status:
		broken("promise 1: order %s: event %d follows %q and says %q", id, i+1, before.Status, e.PreviousStatus)
	case e.Status == before.Status:
		broken("promise 1: order %s: event %d repeats %q", id, i+1, e.Status)
	case e.Final != (before.Final || final[e.Status]):
		broken("order %s: event %d (%s) says final=%v", id, i+1, e.Status, e.Final)
	case before.Final && (e.Status == "initialized" || e.Status == "declined"):
		broken("promise 1: order %s: %s after %s", id, e.Status, before.Status)
	case before.Status == "unresolved":
		broken("order %s: %s after unresolved", id, e.Status)
	}
}

// subsequence reports whether all of part stand in whole in that order.
func subsequence(part, whole []string) bool {
	i := 0
	for _, s := range whole {
		if i < len(part) && part[i] == s {
			i++
		}
	}
	return i == len(part)
}

// lost names a status that was shown to a replica that had to pass it on, and that
// is missing from what was published. What was published must be explained by
// the history, in order: a status that was shown either stands there, or repeats
// the one published before it. What follows the first final status may come when
// nobody reads any more.
func lost(o *worldOrder, published []string) string {
	explained := map[int]bool{0: true} // how many of the published ones
	for place, status := range o.history {
		if over(o.history[:place]) {
			break
		}
		must := slices.ContainsFunc(o.shown[place], showing.binds)
		next := map[int]bool{}
		for i := range explained {
			if i < len(published) && published[i] == status {
				next[i+1] = true
			}
			if !must || i > 0 && published[i-1] == status {
				next[i] = true
			}
		}
		if len(next) == 0 {
			return status
		}
		explained = next
	}
	return ""
}
