package terminalgroups

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"time"

	"github.com/posbridge/bridge/internal/redact"
)

// watchInterval is how often Run compares the files' content. Content, not
// times or events: Kubernetes swaps symlinks, and a network file system tells
// nobody.
const watchInterval = 3 * time.Second

// maxKnown bounds the groups of earlier contents that are remembered.
const maxKnown = 2 * maxGroups

// watch is what Run remembers. Load writes it before Run does.
type watch struct {
	// seen is the content that was read last, good or bad.
	seen digest
	// keyFiles are those of the content that was read last.
	keyFiles []string
}

// Run re-reads the file when its content, or that of a key file, has changed,
// until ctx ends; then it returns nil. A content that cannot be used leaves the
// last good one in force.
func (d *Directory) Run(ctx context.Context) error {
	if d.path == "" {
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
		if read(d.path).with(d.watch.keyFiles).digest() == d.watch.seen {
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
	f := read(d.path)
	entries, err := f.entries()
	d.watch.keyFiles = nil
	for _, e := range entries {
		if e.keyFile != "" {
			d.watch.keyFiles = append(d.watch.keyFiles, d.keyPath(e.keyFile))
		}
	}
	// What is summed up is what is used: a key file that changes in between is
	// seen at the next look.
	f = f.with(d.watch.keyFiles)
	d.watch.seen = f.digest()
	var t *table
	if err == nil {
		t, err = d.build(entries, f)
	}
	if err != nil {
		return fmt.Errorf("terminal groups file %s: %w", d.path, err)
	}
	d.now.Store(t)
	return nil
}

// build makes a table.
func (d *Directory) build(entries []entry, f files) (*table, error) {
	t := &table{known: make(map[string]Group), named: make(map[string]Group)}
	if old := d.now.Load(); old != nil && len(old.known) <= maxKnown {
		maps.Copy(t.known, old.known)
	}
	for _, e := range entries {
		if e.keyFile != "" {
			var err error
			if e.key, err = f.key(d.keyPath(e.keyFile)); err != nil {
				return nil, fmt.Errorf("line %d: group %s: api_key_file: %w", e.line, e.id, err)
			}
		}
		g := Group{ID: e.id, Key: redact.NewSecret(e.key)}
		t.groups = append(t.groups, g)
		t.known[g.ID] = g
		for _, terminal := range e.terminals {
			t.named[terminal] = g
		}
		if e.terminals == nil {
			t.asked = append(t.asked, d.listingOf(g))
		}
	}
	return t, nil
}

// listingOf keeps what the provider said of a group that has not changed.
func (d *Directory) listingOf(g Group) *listing {
	if old := d.now.Load(); old != nil {
		for _, l := range old.asked {
			if l.group.ID == g.ID && l.group.Key.Equal(g.Key) {
				return l
			}
		}
	}
	return &listing{group: g, list: d.list}
}

// keyPath is relative to the groups file unless it is absolute.
func (d *Directory) keyPath(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(d.path), name)
}
