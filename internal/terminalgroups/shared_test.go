package terminalgroups

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posbridge/bridge/internal/multisafepay"
)

// wantShared looks a terminal up that several groups hold.
func wantShared(t *testing.T, d *Directory, terminal string, groups ...string) {
	t.Helper()
	g, err := d.Lookup(t.Context(), terminal)
	shared, ok := errors.AsType[*SharedError](err)
	if !ok || !slices.Equal(shared.Groups, groups) || shared.Terminal != terminal || !errors.Is(err, ErrUnknownTerminal) {
		t.Fatalf("Lookup(%s) = %s, %v; want a *SharedError with %q", terminal, g.ID, err, groups)
	}
	for _, part := range append(groups, terminal) {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %s", err, part)
		}
	}
}

// Whichever answer comes first, a terminal that two groups' lists hold is
// refused, and OnShared told once.
func TestTerminalInTwoGroupsIsRefused(t *testing.T) {
	t.Parallel()
	for name, took := range map[string]map[string]time.Duration{
		"at once": {}, "a is slower": {"key-a": time.Second}, "b is slower": {"key-b": time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newProvider(map[string][]string{"key-a": {"T1", "T2", "T9"}, "key-b": {"T1", "T9"}})
				for key, d := range took {
					p.slow(key, d)
				}
				d, _ := setup(t, twoAsked, p)
				var told []string
				d.OnShared = func(err *SharedError) { told = append(told, err.Error()) }
				for range 3 {
					wantShared(t, d, "T1", "a", "b")
					time.Sleep(askPause)
				}
				if len(told) != 1 {
					t.Errorf("told %d times, want once: %q", len(told), told)
				}
				if got := lookup(t, d, "T2"); got != "a" {
					t.Errorf("group of another terminal = %s, want a", got)
				}
				if got := lookup(t, d, "T9"); got != "c" {
					t.Errorf("group of a terminal that the file names = %s, want c", got)
				}
				if got := d.Terminals(); got["T1"] != "a, b" || got["T9"] != "c" {
					t.Errorf("Terminals() = %v", got)
				}

				// Put right at the provider, it is served; broken again, told again.
				p.set("key-a", nil, "T2")
				time.Sleep(askPause)
				if got := lookup(t, d, "T1"); got != "b" {
					t.Errorf("group = %s, want b", got)
				}
				p.set("key-a", nil, "T1", "T2")
				time.Sleep(maxListAge + time.Second)
				lookup(t, d, "T1") // renews all lists
				time.Sleep(2 * time.Second)
				wantShared(t, d, "T1", "a", "b")
				if len(told) != 2 {
					t.Errorf("told %d times, want twice: %q", len(told), told)
				}
			})
		})
	}
}

// A terminal that is new in the lists of two groups is refused, whichever list comes
// first, although both groups were asked before.
func TestNewTerminalInTwoGroupsIsRefused(t *testing.T) {
	t.Parallel()
	for _, slower := range []string{"key-a", "key-b"} {
		t.Run(slower, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newProvider(map[string][]string{})
				d, _ := setup(t, twoAsked, p)
				wantUnknown(t, d, "T1")
				p.set("key-a", nil, "T1")
				p.set("key-b", nil, "T1")
				p.slow(slower, time.Second)
				time.Sleep(askPause)
				second := make(chan error, 1)
				go func() {
					time.Sleep(askPause / 2) // one list is there, the other is on its way
					_, err := d.Lookup(t.Context(), "T1")
					second <- err
				}()
				wantShared(t, d, "T1", "a", "b")
				if err := <-second; !errors.Is(err, ErrUnknownTerminal) {
					t.Errorf("the second start in the meantime: %v, want a refusal", err)
				}
			})
		})
	}
}

// A group that cannot be asked keeps nobody from being served: not one that
// fails, nor one that does not answer, and that one is waited for once. When it
// answers in the end, its list counts.
func TestGroupThatCannotBeAskedMayShare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(map[string][]string{"key-b": {"T1"}})
		p.set("key-a", &multisafepay.Error{Op: "terminals", Kind: multisafepay.KindKey, Status: 401}, "T1")
		d, _ := setup(t, twoAsked, p)
		start := time.Now()
		for range 10 * 60 { // a key may be wrong for days
			if got := lookup(t, d, "T1"); got != "b" {
				t.Fatalf("group = %s, want b", got)
			}
			time.Sleep(time.Second)
		}
		if got, most := p.count("key-a"), 1+int(time.Since(start)/renewPause); got < 2 || got > most {
			t.Errorf("the group that cannot be asked was asked %d times, want 2 to %d", got, most)
		}
		p.set("key-a", nil, "T1")
		time.Sleep(renewPause)
		lookup(t, d, "T1") // asks in the background
		synctest.Wait()
		wantShared(t, d, "T1", "a", "b")
	})
}

// While the groups that hold a terminal cannot be asked again, what they said
// last counts.
func TestSharedTerminalWhileTheProviderHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(map[string][]string{"key-a": {"T1"}, "key-b": {"T1"}})
		d, _ := setup(t, twoAsked, p)
		wantShared(t, d, "T1", "a", "b")
		p.slow("key-a", time.Hour)
		p.slow("key-b", time.Hour)
		time.Sleep(askPause)
		for range 2 {
			start := time.Now()
			wantShared(t, d, "T1", "a", "b")
			if got := time.Since(start); got > patience {
				t.Errorf("refused after %s, want %s at most", got, patience)
			}
		}
	})
}

// Two groups with one key share every terminal; it does not matter whose it is.
func TestGroupsWithOneKey(t *testing.T) {
	t.Parallel()
	p := newProvider(map[string][]string{"key": {"T1"}})
	d, _ := setup(t, "groups: [{id: a, api_key: key}, {id: b, api_key: key}]", p)
	if got := lookup(t, d, "T1"); got != "a" {
		t.Errorf("group = %s, want a", got)
	}
}

func TestSharedErrorIsShort(t *testing.T) {
	t.Parallel()
	err := &SharedError{Terminal: "T1", Groups: slices.Repeat([]string{"g"}, 1000)}
	if got, want := err.Error(), "(g, g, g, g, g and 995 more)"; !strings.Contains(got, want) {
		t.Errorf("got %q, want %q in it", got, want)
	}
}
