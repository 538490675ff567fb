package terminalgroups

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/redact"
)

// provider is a fake that lists terminals by key.
type provider struct {
	mu        sync.Mutex
	terminals map[string][]string
	errs      map[string]error
	took      map[string]time.Duration
	asked     map[string]int
}

func newProvider(terminals map[string][]string) *provider {
	return &provider{terminals: terminals, errs: map[string]error{}, took: map[string]time.Duration{}, asked: map[string]int{}}
}

func (p *provider) list(ctx context.Context, key redact.Secret, _ string) ([]multisafepay.Terminal, error) {
	p.mu.Lock()
	p.asked[key.Reveal()]++
	took := p.took[key.Reveal()]
	p.mu.Unlock()
	if took > 0 {
		select {
		case <-time.After(took):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.errs[key.Reveal()]; err != nil {
		return nil, err
	}
	var list []multisafepay.Terminal
	for _, row := range p.terminals[key.Reveal()] { // id, or id@group, with ! when it is not active
		row, off := strings.CutSuffix(row, "!")
		id, group, _ := strings.Cut(row, "@")
		list = append(list, multisafepay.Terminal{ID: id, GroupID: group, Active: !off})
	}
	return list, nil
}

func (p *provider) set(key string, err error, terminals ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.terminals[key], p.errs[key] = terminals, err
}

func (p *provider) slow(key string, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took[key] = took
}

func (p *provider) count(key string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[key]
}

// setup writes a groups file and loads it.
func setup(t *testing.T, content string, p *provider) (*Directory, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "groups.yaml")
	write(t, path, content)
	d, err := Load(path, p.list)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d, path
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// lookup returns the id of the terminal's group.
func lookup(t *testing.T, d *Directory, terminal string) string {
	t.Helper()
	g, err := d.Lookup(t.Context(), terminal)
	if err != nil {
		t.Fatalf("Lookup(%s): %v", terminal, err)
	}
	return g.ID
}

func wantUnknown(t *testing.T, d *Directory, terminal string) {
	t.Helper()
	if g, err := d.Lookup(t.Context(), terminal); !errors.Is(err, ErrUnknownTerminal) {
		t.Errorf("Lookup(%s) = %s, %v; want ErrUnknownTerminal", terminal, g.ID, err)
	}
}

const twoAsked = "groups:\n- {id: a, api_key: key-a}\n- {id: b, api_key: key-b}\n- {id: c, api_key: key-c, terminals: [T9]}\n"

func TestSingle(t *testing.T) {
	t.Parallel()
	d := Single(redact.NewSecret("k"))
	defer d.Close()
	for _, terminal := range []string{"T1", "whatever"} {
		g, err := d.Lookup(t.Context(), terminal)
		if err != nil || g.ID != DefaultID || g.Key.Reveal() != "k" {
			t.Errorf("Lookup(%s) = %+v, %v", terminal, g, err)
		}
	}
	if got := d.Groups(); len(got) != 1 || got[0].ID != DefaultID {
		t.Errorf("Groups() = %+v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Run(ctx); err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	p := newProvider(map[string][]string{"key-a": {"T1", "T9"}, "key-b": {"T2"}})
	d, _ := setup(t, twoAsked, p)
	if p.count("key-a") != 0 {
		t.Error("the provider was asked before anybody needed it")
	}
	for terminal, want := range map[string]string{"T1": "a", "T2": "b", "T9": "c"} {
		if got := lookup(t, d, terminal); got != want {
			t.Errorf("Lookup(%s) = %s, want %s", terminal, got, want)
		}
	}
	if p.count("key-c") != 0 {
		t.Error("a group with terminals of its own was asked")
	}
	wantUnknown(t, d, "T3")
	for _, bad := range []string{"", "*", "a.b", strings.Repeat("x", 33), "Ä"} {
		wantUnknown(t, d, bad)
	}
	var ids []string
	for _, g := range d.Groups() {
		ids = append(ids, g.ID+"="+g.Key.Reveal())
	}
	if want := []string{"a=key-a", "b=key-b", "c=key-c"}; !slices.Equal(ids, want) {
		t.Errorf("Groups() = %v, want %v", ids, want)
	}
}

// A terminal that is added right after another unknown one was asked for is found
// a second later, and an error is not repeated for longer either.
func TestAddedTerminalIsFoundSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(map[string][]string{"key-a": {"T1"}})
		d, _ := setup(t, twoAsked, p)
		wantUnknown(t, d, "T3")
		p.set("key-b", nil, "T3")
		time.Sleep(time.Second)
		if got := lookup(t, d, "T3"); got != "b" {
			t.Errorf("group = %s, want b", got)
		}
		p.set("key-b", errors.New("down"), "T3")
		time.Sleep(time.Second)
		if _, err := d.Lookup(t.Context(), "T4"); err == nil || errors.Is(err, ErrUnknownTerminal) {
			t.Errorf("Lookup = %v, want the listing's error", err)
		}
		p.set("key-b", nil, "T3", "T4")
		time.Sleep(time.Second)
		if got := lookup(t, d, "T4"); got != "b" {
			t.Errorf("group = %s, want b", got)
		}
	})
}

// However many unknown terminals are asked for, each group is asked once a second.
func TestUnknownTerminalsDoNotFloodTheProvider(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(map[string][]string{"key-a": {"T1"}})
		p.slow("key-b", 100*time.Millisecond)
		d, _ := setup(t, twoAsked, p)
		const seconds = 10
		var all sync.WaitGroup
		for i := range 100 * seconds {
			for j := range 5 {
				all.Go(func() { wantUnknown(t, d, fmt.Sprintf("X%d-%d", i, j)) })
			}
			time.Sleep(10 * time.Millisecond)
		}
		all.Wait()
		for _, key := range []string{"key-a", "key-b"} {
			if got := p.count(key); got < seconds/2 || got > seconds+1 {
				t.Errorf("the group of %s was asked %d times in %d s, want about once a second", key, got, seconds)
			}
		}
	})
}

func TestSlowGroupDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(map[string][]string{"key-a": {"T1"}, "key-b": {"T2"}})
		p.slow("key-a", time.Hour)
		p.slow("key-b", time.Second)
		d, _ := setup(t, twoAsked, p)
		start := time.Now()
		// The slow one may hold it too: it is waited for, a while and once.
		for range 2 {
			if got := lookup(t, d, "T2"); got != "b" || time.Since(start) != patience {
				t.Errorf("group %s after %s, want b after %s", got, time.Since(start), patience)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := d.Lookup(ctx, "T1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Lookup = %v, want the context's end", err)
		}
		// The listing outlives the caller, and ends by its own limit.
		if _, err := d.Lookup(t.Context(), "T1"); err == nil || errors.Is(err, ErrUnknownTerminal) {
			t.Errorf("Lookup = %v, want the listing's error", err)
		}
		if got := time.Since(start); got != askTimeout {
			t.Errorf("listing ended after %s, want %s", got, askTimeout)
		}
	})
}

func TestListingErrorIsToldOnlyWhenNobodyElseServes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(map[string][]string{"key-b": {"T2"}})
		down := &multisafepay.Error{Op: "terminals", Kind: multisafepay.KindUnavailable, Status: 503}
		p.set("key-a", down, "T1")
		d, _ := setup(t, twoAsked, p)
		if got := lookup(t, d, "T2"); got != "b" {
			t.Errorf("group = %s, want b", got)
		}
		for range 2 { // the second within the pause
			_, err := d.Lookup(t.Context(), "T1")
			if e, ok := errors.AsType[*multisafepay.Error](err); !ok || e != down || !strings.Contains(err.Error(), "group a") {
				t.Errorf("error = %v, want that of group a", err)
			}
		}
		// Better again, then worse: the last good list stays in force.
		p.set("key-a", nil, "T1")
		time.Sleep(askPause)
		lookup(t, d, "T1")
		p.set("key-a", down)
		time.Sleep(askPause)
		if _, err := d.Lookup(t.Context(), "T7"); !errors.Is(err, down) {
			t.Errorf("error = %v, want that of group a", err)
		}
		lookup(t, d, "T1")
	})
}

func TestOldListIsRenewedInTheBackground(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(map[string][]string{"key-a": {"T1"}})
		d, _ := setup(t, twoAsked, p)
		lookup(t, d, "T1")
		p.set("key-a", nil)
		p.set("key-b", nil, "T1") // moved
		time.Sleep(maxListAge + time.Second)
		if got := lookup(t, d, "T1"); got != "a" {
			t.Errorf("group = %s, want a, at once", got)
		}
		synctest.Wait()
		if got := lookup(t, d, "T1"); got != "b" {
			t.Errorf("group = %s, want b", got)
		}
	})
}

func TestCloseEndsListings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(map[string][]string{"key-b": {"T2"}})
		p.slow("key-a", time.Hour)
		d, _ := setup(t, twoAsked, p)
		lookup(t, d, "T2") // a is waited for in vain
		start := time.Now()
		d.Close()
		if time.Since(start) != 0 {
			t.Errorf("Close took %s", time.Since(start))
		}
		lookup(t, d, "T2")
		time.Sleep(askPause)
		if _, err := d.Lookup(t.Context(), "T1"); err == nil || errors.Is(err, ErrUnknownTerminal) {
			t.Errorf("Lookup = %v, want an error that says why", err)
		}
	})
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "empty.key"), " \n")
	write(t, filepath.Join(dir, "two.key"), "a b\n")
	write(t, filepath.Join(dir, "huge.key"), strings.Repeat("k", maxKeyFile+1))
	tests := map[string]struct{ content, want string }{
		"bad file":        {"groups: []", `"groups:" with at least one group is missing`},
		"no key file":     {"groups: [{id: a, api_key_file: " + secret + "}]", "line 1: group a: api_key_file: no such file or directory"},
		"folder":          {"groups: [{id: a, api_key_file: .}]", "group a: api_key_file: not a regular file"},
		"empty key file":  {"groups: [{id: a, api_key_file: empty.key}]", "group a: api_key_file: must be 1 to 256 visible ASCII characters"},
		"two keys":        {"groups: [{id: a, api_key_file: two.key}]", "group a: api_key_file: must be 1 to 256 visible ASCII characters"},
		"huge key file":   {"groups: [{id: a, api_key_file: huge.key}]", "group a: api_key_file: file is larger than 4096 bytes"},
		"absolute":        {"groups: [{id: a, api_key_file: /" + secret + "}]", "group a: api_key_file: no such file"},
		"second of files": {"groups: [{id: a, api_key: k}, {id: b, api_key_file: nope}]", "group b: api_key_file"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".yaml")
			write(t, path, test.content)
			_, err := Load(path, nil)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error = %v, want %q and the file's name in it", err, test.want)
			}
			if strings.Contains(fmt.Sprint(err), secret) {
				t.Errorf("error shows what may be a key: %v", err)
			}
		})
	}
	if _, err := Load(filepath.Join(dir, "nowhere"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error = %v, want ErrNotExist", err)
	}
}

func TestKeyFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "keys", "a"), "\tkey-a \r\n")
	absolute := filepath.Join(t.TempDir(), "b")
	write(t, absolute, "key-b")
	path := filepath.Join(dir, "groups.yaml")
	write(t, path, fmt.Sprintf("groups: [{id: a, api_key_file: keys/a, terminals: [T1]}, {id: b, api_key_file: %q, terminals: [T2]}]", absolute))
	d, err := Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for i, want := range []string{"key-a", "key-b"} {
		if got := d.Groups()[i].Key.Reveal(); got != want {
			t.Errorf("key %d = %q, want %q", i, got, want)
		}
	}
}
