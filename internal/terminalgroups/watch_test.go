package terminalgroups

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// reloads collects what OnReload was told.
type reloads struct {
	mu  sync.Mutex
	got []string
}

func (r *reloads) add(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, fmt.Sprint(err))
}

// take returns what was told since the last take.
func (r *reloads) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

// run starts Run and sees to its end.
func run(t *testing.T, d *Directory) *reloads {
	t.Helper()
	r := &reloads{}
	d.OnReload = r.add
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
	return r
}

// withinTenSeconds lets the time pass that the contract gives a change.
func withinTenSeconds() {
	time.Sleep(10*time.Second - time.Millisecond)
	synctest.Wait()
}

func TestRunTakesANewFileUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(map[string][]string{"key-a": {"T1"}})
		d, path := setup(t, "groups: [{id: a, api_key: key-a}, {id: b, api_key: key-b, terminals: [T2]}]", p)
		r := run(t, d)
		lookup(t, d, "T1")
		withinTenSeconds()
		if got := r.take(); len(got) != 0 {
			t.Errorf("told %q without a change", got)
		}

		write(t, path, "groups: [{id: a, api_key: key-a}, {id: new, api_key: key-new, terminals: [T2, T3]}]")
		withinTenSeconds()
		if got := r.take(); len(got) != 1 || got[0] != "<nil>" {
			t.Errorf("told %q, want one nil", got)
		}
		if a, b := lookup(t, d, "T2"), lookup(t, d, "T3"); a != "new" || b != "new" {
			t.Errorf("groups = %s, %s; want new", a, b)
		}
		if got := p.count("key-a"); got != 1 {
			t.Errorf("group a, which has not changed, was asked %d times, want once", got)
		}

		write(t, path, "groups: [{id: a, api_key: key-other}]")
		withinTenSeconds()
		if got := r.take(); len(got) != 1 || got[0] != "<nil>" {
			t.Errorf("told %q, want one nil", got)
		}
		wantUnknown(t, d, "T2")
		wantUnknown(t, d, "T1")                                                                    // another key, another list
		for id, key := range map[string]string{"a": "key-other", "b": "key-b", "new": "key-new"} { // payments of groups that are gone go on
			if g, ok := d.ByID(id); !ok || g.ID != id || g.Key.Reveal() != key {
				t.Errorf("ByID(%s) = %s %v, want it with key %s", id, g.ID, ok, key)
			}
		}
		if _, ok := d.ByID("c"); ok {
			t.Error("ByID knows a group that never was")
		}
	})
}

func TestRunKeepsTheOldFileWhenTheNewOneIsBad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		good := "groups: [{id: a, api_key: key-a, terminals: [T1]}]"
		d, path := setup(t, good, newProvider(nil))
		r := run(t, d)
		for _, test := range []struct{ content, want string }{
			{"groups: [{id: a, api_key: " + secret + ", terminals: [T1]}, {id: a, api_key: x}]", "group a appears twice"},
			{"groups: [{id: a, api_key: " + secret, "not YAML"},
			{"", "file is empty"},
		} {
			write(t, path, test.content)
			for range 3 { // told once, however often it is looked at
				withinTenSeconds()
			}
			got := r.take()
			if len(got) != 1 || !strings.Contains(got[0], test.want) || strings.Contains(got[0], secret) {
				t.Errorf("told %q, want once %q", got, test.want)
			}
			lookup(t, d, "T1")
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		withinTenSeconds()
		withinTenSeconds()
		if got := r.take(); len(got) != 1 || !strings.Contains(got[0], "no such file") {
			t.Errorf("told %q, want once that the file is not there", got)
		}
		lookup(t, d, "T1")
		write(t, path, good)
		withinTenSeconds()
		if got := r.take(); len(got) != 1 || got[0] != "<nil>" {
			t.Errorf("told %q, want one nil", got)
		}
	})
}

// TestRunSeesSwappedLinks: the way Kubernetes renews a mounted Secret, by
// pointing a link at another folder.
func TestRunSeesSwappedLinks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		version := func(name, terminal, key string) {
			if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, name, "groups.yaml"), "groups: [{id: a, api_key_file: key, terminals: ["+terminal+"]}]")
			write(t, filepath.Join(dir, name, "key"), key)
		}
		link := func(to, name string) {
			if err := os.Symlink(to, filepath.Join(dir, "tmp")); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(filepath.Join(dir, "tmp"), filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		version("..1", "T1", "one")
		version("..2", "T2", "two")
		link("..1", "..data")
		link("..data/groups.yaml", "groups.yaml")
		link("..data/key", "key")
		d, err := Load(filepath.Join(dir, "groups.yaml"), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Close)
		r := run(t, d)
		link("..2", "..data")
		withinTenSeconds()
		if got := r.take(); len(got) != 1 || got[0] != "<nil>" {
			t.Errorf("told %q, want one nil", got)
		}
		g, err := d.Lookup(t.Context(), "T2")
		if err != nil || g.Key.Reveal() != "two" {
			t.Errorf("Lookup = %v, %q; want the second key", err, g.Key.Reveal())
		}
	})
}

func TestRunSeesAKeyFileChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		key := filepath.Join(dir, "key")
		write(t, key, "one")
		path := filepath.Join(dir, "groups.yaml")
		write(t, path, "groups: [{id: a, api_key_file: key, terminals: [T1]}]")
		d, err := Load(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Close)
		r := run(t, d)
		for _, test := range []struct{ content, told, want string }{
			{"two\n", "<nil>", "two"},
			{"not one key", "must be 1 to 256 visible ASCII characters", "two"},
			{"three", "<nil>", "three"},
		} {
			write(t, key, test.content)
			withinTenSeconds()
			if got := r.take(); len(got) != 1 || !strings.Contains(got[0], test.told) {
				t.Errorf("told %q, want once %q", got, test.told)
			}
			if got := d.Groups()[0].Key.Reveal(); got != test.want {
				t.Errorf("key = %q, want %q", got, test.want)
			}
		}
	})
}
