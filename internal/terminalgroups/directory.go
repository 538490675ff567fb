package terminalgroups

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"time"

	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/subjects"
)

// watchInterval is how often Run compares the files' content. Content, not
// times or events: Kubernetes swaps symlinks, and a network file system tells
// nobody.
const watchInterval = 3 * time.Second

// maxKnown bounds the groups of earlier contents that are remembered.
const maxKnown = 2 * maxGroups

// Directory finds the group of a terminal. It is safe for concurrent use.
type Directory struct {
	// OnReload is told how it went when the file, or a key file that it names,
	// had changed: nil when the new content is in force, else what is wrong with
	// it while the old one stays in force. Once per distinct content. Set it
	// before Run; nil is fine.
	OnReload func(err error)
	// OnShared is told of a terminal that is refused because several groups hold
	// it: once, until it is served again or other groups hold it. Set it before
	// the first Lookup; nil is fine.
	OnShared func(err *SharedError)

	source *source // nil for Single
	asker  *asker
	now    atomic.Pointer[table]
	shared shared
}

// Single returns a directory in which one key serves every terminal. Its group
// has the id DefaultID.
func Single(key redact.Secret) *Directory {
	g := Group{ID: DefaultID, Key: key}
	d := &Directory{asker: newAsker(nil)}
	d.now.Store(&table{groups: []Group{g}, known: map[string]Group{g.ID: g}, all: &g})
	return d
}

// Load reads the file at path. list is asked for the terminals of the groups
// that name none, when they are first needed. The error says what is wrong with
// the file, never with a key in it.
func Load(path string, list listFunc) (*Directory, error) {
	d := &Directory{source: &source{path: path}, asker: newAsker(list)}
	if err := d.load(); err != nil {
		return nil, err
	}
	return d, nil
}

// Close ends the listings at work and waits for them. Lookups of terminals that
// are known already go on to work.
func (d *Directory) Close() { d.asker.close() }

// Run re-reads the file when its content, or that of a key file, has changed,
// until ctx ends; then it returns nil. A content that cannot be used leaves the
// last good one in force.
func (d *Directory) Run(ctx context.Context) error {
	if d.source == nil {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if !d.source.changed() {
			continue
		}
		err := d.load()
		if d.OnReload != nil {
			d.OnReload(err)
		}
	}
}

// load reads the files and, if they are good, puts them in force.
func (d *Directory) load() error {
	entries, err := d.source.load()
	if err != nil {
		return err
	}
	old := d.now.Load()
	t := &table{known: make(map[string]Group), named: make(map[string]Group)}
	if old != nil && len(old.known) <= maxKnown {
		maps.Copy(t.known, old.known)
	}
	for _, e := range entries {
		g := Group{ID: e.id, Key: redact.NewSecret(e.key)}
		t.groups = append(t.groups, g)
		t.known[g.ID] = g
		for _, terminal := range e.terminals {
			t.named[terminal] = g
		}
		if e.terminals == nil {
			t.asked = append(t.asked, old.listingOf(g))
		}
	}
	d.now.Store(t)
	return nil
}

// Groups returns every group, in the order of the file.
func (d *Directory) Groups() []Group {
	return append([]Group(nil), d.now.Load().groups...)
}

// Lookup returns the group that serves a terminal: the one that the file names
// for it, else the one whose list at the provider holds it. It may have to ask
// the provider, which is bounded by ctx and by some seconds. It fails with
// ErrUnknownTerminal, with *SharedError when several lists hold the terminal, with
// *UnservedError when the terminal is known and must not be served, with the
// listing's error (a *multisafepay.Error) when a group could not be asked and no
// other serves the terminal, or with that of ctx.
//
// A group that cannot be asked does not keep a terminal from being served that
// another one holds: it may hold it too, but that is rare, and then the list that
// comes in the end tells.
func (d *Directory) Lookup(ctx context.Context, terminal string) (Group, error) {
	t := d.now.Load()
	if t.all != nil {
		return *t.all, nil
	}
	if g, ok := t.named[terminal]; ok {
		return g, nil
	}
	if subjects.CheckTerminal(terminal) != nil {
		return Group{}, ErrUnknownTerminal
	}
	s := t.look(terminal)
	if len(s.holders) != 1 || s.unheard > 0 {
		return d.askAll(ctx, t, terminal)
	}
	for _, l := range s.old {
		l.ask(d.asker, renewPause)
	}
	d.shared.forget(terminal)
	return s.holders[0], nil
}

// ByID returns a group by its id, also one that the file had earlier in the life of
// this process. A payment uses the key of the group that it was begun with until
// its end, wherever its terminal is by then.
func (d *Directory) ByID(group string) (Group, bool) {
	g, ok := d.now.Load().known[group]
	return g, ok
}

// askAll asks all groups at once for a terminal that none is known to have, or
// more than one, or one while another was never asked.
func (d *Directory) askAll(ctx context.Context, t *table, terminal string) (Group, error) {
	for _, l := range t.asked {
		l.ask(d.asker, askPause)
	}
	for {
		changed := d.asker.news.wait() // before looking, so that no answer is missed
		s := t.look(terminal)
		var wait time.Duration // 0 is as long as it takes
		switch {
		case len(s.holders) > 1:
			if wait = s.renewing; wait <= 0 {
				return Group{}, d.refuseShared(terminal, s.holders)
			}
		case len(s.holders) == 1:
			if wait = s.unheard; wait <= 0 {
				d.shared.forget(terminal)
				return s.holders[0], nil
			}
		case s.asking:
		case s.failure != nil:
			return Group{}, s.failure
		case s.refusal != nil:
			return Group{}, s.refusal
		default:
			return Group{}, ErrUnknownTerminal
		}
		if err := await(ctx, changed, wait); err != nil {
			return Group{}, fmt.Errorf("look up terminal: %w", err)
		}
	}
}

// await waits for news, for at most limit unless that is 0.
func await(ctx context.Context, changed <-chan struct{}, limit time.Duration) error {
	var over <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-changed:
	case <-over:
	}
	return nil
}

// refuseShared is the error for a terminal that several groups hold. It tells
// OnShared unless that was told already.
func (d *Directory) refuseShared(terminal string, holders []Group) error {
	err := &SharedError{Terminal: terminal}
	for _, g := range holders {
		err.Groups = append(err.Groups, g.ID)
	}
	if d.shared.note(terminal, strings.Join(err.Groups, " ")) && d.OnShared != nil {
		d.OnShared(err)
	}
	return err
}
