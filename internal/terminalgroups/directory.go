package terminalgroups

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/subjects"
)

// DefaultID is the id of the group that Single makes.
const DefaultID = "default"

// ErrUnknownTerminal means that no group's key serves the terminal, and that
// every group that had to be asked did answer.
var ErrUnknownTerminal = errors.New("no terminal group serves this terminal")

// Group is a terminal group: its terminals are served by its key.
type Group struct {
	ID  string
	Key redact.Secret
}

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

	path string // "" for Single
	list listFunc
	now  atomic.Pointer[table]

	// life ends the listings at work when the directory is closed; work waits
	// for them. mu keeps a listing from starting while work is waited for.
	life   context.Context
	end    context.CancelFunc
	mu     sync.Mutex
	closed bool
	work   sync.WaitGroup
	news   news
	shared shared

	watch watch
}

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

// Single returns a directory in which one key serves every terminal. Its group
// has the id DefaultID.
func Single(key redact.Secret) *Directory {
	g := Group{ID: DefaultID, Key: key}
	d := newDirectory("", nil)
	d.now.Store(&table{groups: []Group{g}, known: map[string]Group{g.ID: g}, all: &g})
	return d
}

// Load reads the file at path. list is asked for the terminals of the groups
// that name none, when they are first needed. The error says what is wrong with
// the file, never with a key in it.
func Load(path string, list func(ctx context.Context, key redact.Secret) ([]multisafepay.Terminal, error)) (*Directory, error) {
	d := newDirectory(path, list)
	if err := d.load(); err != nil {
		return nil, err
	}
	return d, nil
}

func newDirectory(path string, list listFunc) *Directory {
	d := &Directory{path: path, list: list}
	d.life, d.end = context.WithCancel(context.Background())
	return d
}

// Close ends the listings at work and waits for them. Lookups of terminals that
// are known already go on to work.
func (d *Directory) Close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.end()
	d.work.Wait()
}

// spawn runs f on a goroutine that Close waits for; false after Close.
func (d *Directory) spawn(f func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.work.Go(f)
	return true
}

// Groups returns every group, in the order of the file.
func (d *Directory) Groups() []Group {
	return append([]Group(nil), d.now.Load().groups...)
}

// Lookup returns the group that serves a terminal: the one that the file names
// for it, else the one whose list at the provider holds it. It may have to ask
// the provider, which is bounded by ctx and by some seconds. It fails with
// ErrUnknownTerminal, with *SharedError when several lists hold the terminal,
// with the listing's error (a *multisafepay.Error) when a group could not be
// asked and no other serves the terminal, or with that of ctx.
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
		l.ask(d, renewPause)
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

// Keep is ByID, and Lookup for a group that is not known.
func (d *Directory) Keep(ctx context.Context, terminal, group string) (Group, error) {
	if g, ok := d.ByID(group); ok {
		return g, nil
	}
	return d.Lookup(ctx, terminal)
}

// askAll asks all groups at once for a terminal that none is known to have, or
// more than one, or one while another was never asked.
func (d *Directory) askAll(ctx context.Context, t *table, terminal string) (Group, error) {
	for _, l := range t.asked {
		l.ask(d, askPause)
	}
	for {
		changed := d.news.wait() // before looking, so that no answer is missed
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
