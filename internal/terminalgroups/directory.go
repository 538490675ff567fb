package terminalgroups

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/posbridge/bridge/internal/multisafepay"
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
	Key multisafepay.Secret
}

// Directory finds the group of a terminal. It is safe for concurrent use.
type Directory struct {
	// OnReload is told how it went when the file, or a key file that it names,
	// had changed: nil when the new content is in force, else what is wrong with
	// it while the old one stays in force. Once per distinct content. Set it
	// before Run; nil is fine.
	OnReload func(err error)

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

	watch watch
}

// table is the content of a file, and what the provider said of its groups.
type table struct {
	groups []Group
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
func Single(key multisafepay.Secret) *Directory {
	g := Group{ID: DefaultID, Key: key}
	d := newDirectory("", nil)
	d.now.Store(&table{groups: []Group{g}, all: &g})
	return d
}

// Load reads the file at path. list is asked for the terminals of the groups
// that name none, when they are first needed. The error says what is wrong with
// the file, never with a key in it.
func Load(path string, list func(ctx context.Context, key multisafepay.Secret) ([]multisafepay.Terminal, error)) (*Directory, error) {
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

// Lookup returns the group that serves a terminal. It may have to ask the
// provider, which is bounded by ctx and by some seconds. It fails with
// ErrUnknownTerminal, with the listing's error (a *multisafepay.Error) when a
// group could not be asked and no other serves the terminal, or with that of ctx.
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
	for _, l := range t.asked {
		if v := l.look(terminal); v.found {
			if v.old {
				l.ask(d)
			}
			return l.group, nil
		}
	}
	return d.askAll(ctx, t, terminal)
}

// askAll asks all groups at once for a terminal that none is known to have, and
// returns the first that turns out to have it.
func (d *Directory) askAll(ctx context.Context, t *table, terminal string) (Group, error) {
	for _, l := range t.asked {
		l.ask(d)
	}
	for {
		changed := d.news.wait() // before looking, so that no answer is missed
		waiting := false
		var failure error
		for _, l := range t.asked {
			v := l.look(terminal)
			switch {
			case v.found:
				return l.group, nil
			case v.asking:
				waiting = true
			case failure == nil:
				failure = v.err
			}
		}
		switch {
		case waiting:
		case failure != nil:
			return Group{}, failure
		default:
			return Group{}, ErrUnknownTerminal
		}
		select {
		case <-ctx.Done():
			return Group{}, fmt.Errorf("look up terminal: %w", ctx.Err())
		case <-changed:
		}
	}
}
