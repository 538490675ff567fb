package follower

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/bus"
)

// neighbourhood is a replica "me" among others, and what it takes over.
type neighbourhood struct {
	*peers
	began time.Time
	mu    sync.Mutex
	found map[Ref]time.Duration
}

// among runs a test in a bubble: its clock stands still while somebody works.
func among(t *testing.T, b *fakeBus, owned map[string][]Ref, calm time.Duration, test func(n *neighbourhood)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		n := &neighbourhood{began: time.Now(), found: map[Ref]time.Duration{}}
		n.peers = &peers{
			asker: &asker{bus: b, self: "me"}, orders: ownedBy{owned: owned}, report: &reporter{Log: zap.NewNop()}, known: map[string]*peer{},
			calm: func() time.Duration { return calm }, wg: &wg,
			find: func(ref Ref) {
				n.mu.Lock()
				defer n.mu.Unlock()
				n.found[ref] = time.Since(n.began)
			},
		}
		for owner := range owned {
			n.heard(owner)
		}
		wg.Go(func() { n.run(ctx) })
		test(n)
		stop()
		wg.Wait() // nothing goes on after the end
	})
}

// ownedBy are orders with their owners.
type ownedBy struct {
	Orders
	owned map[string][]Ref
}

func (o ownedBy) Open() map[Ref]string {
	open := map[Ref]string{}
	for id, refs := range o.owned {
		for _, ref := range refs {
			open[ref] = id
		}
	}
	return open
}

// after lets time pass and returns what was taken over, and when.
func (n *neighbourhood) after(d time.Duration) map[Ref]time.Duration {
	sleep(context.Background(), d)
	synctest.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.found)
}

func someRefs(count int) []Ref {
	var refs []Ref
	for i := range count {
		refs = append(refs, Ref{Terminal: fmt.Sprint("T", i), Order: fmt.Sprint("A", i)})
	}
	return refs
}

// A process whose name nobody listens under for a second has gone: what it owned is
// taken over at once.
func TestPeerThatHasGone(t *testing.T) {
	refs := someRefs(3)
	b := &fakeBus{ask: func(string) (string, error) { return "", bus.ErrNoResponders }}
	among(t, b, map[string][]Ref{"other": refs, "me": {{Terminal: "T9", Order: "mine"}}}, time.Hour, func(n *neighbourhood) {
		if found := n.after(goneAfter); len(found) > 0 {
			t.Errorf("taken over too early: %v", found)
		}
		if n.isGone("other") {
			t.Errorf("it counts as gone too early: %+v", n.known)
		}
		found := n.after(time.Second)
		for _, ref := range refs {
			if at, ok := found[ref]; !ok || at > 2*time.Second {
				t.Errorf("%v was taken over after %s", ref, at)
			}
		}
		if len(found) != len(refs) || !n.isGone("other") || n.isThere("other") {
			t.Errorf("got %v", found)
		}
		n.heard("other") // a late message of it
		if !n.isGone("other") {
			t.Error("a process that has gone has come back")
		}
	})
}

// While NATS is in trouble, or somebody listens and says nothing, nothing is proven.
func TestPeerThatMayBeThere(t *testing.T) {
	refs := map[string][]Ref{"other": someRefs(1)}
	t.Run("NATS was in trouble", func(t *testing.T) {
		b := &fakeBus{ask: func(string) (string, error) { return "", bus.ErrNoResponders }}
		among(t, b, refs, goneAfter-1, func(n *neighbourhood) {
			if found := n.after(time.Minute); len(found) > 0 || n.isGone("other") {
				t.Errorf("got %v", found)
			}
		})
	})
	t.Run("it is silent", func(t *testing.T) {
		b := &fakeBus{ask: func(string) (string, error) { return "", context.DeadlineExceeded }}
		among(t, b, refs, time.Hour, func(n *neighbourhood) {
			if found := n.after(time.Minute); len(found) > 0 || n.isGone("other") {
				t.Errorf("got %v", found)
			}
			if silence := n.silence("other"); silence < 59*time.Second {
				t.Errorf("it has been silent for %s only", silence)
			}
		})
	})
	t.Run("it reconnects", func(t *testing.T) {
		var asked atomic.Int64
		b := &fakeBus{ask: func(string) (string, error) {
			if asked.Add(1)%4 > 0 { // away for most of the time, never for a second
				return "", bus.ErrNoResponders
			}
			return "{}", nil
		}}
		among(t, b, refs, time.Hour, func(n *neighbourhood) {
			if found := n.after(time.Minute); len(found) > 0 || n.isGone("other") {
				t.Errorf("got %v", found)
			}
		})
	})
}

// A replica that stops, is silent or has gone goes on with nothing.
func TestAlone(t *testing.T) {
	for name, test := range map[string]struct {
		answer string
		err    error
		want   bool
	}{
		"there":    {answer: "{}"},
		"stopping": {answer: `{"stopping":true}`, want: true},
		"silent":   {err: context.DeadlineExceeded, want: true},
		"gone":     {err: bus.ErrNoResponders, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := &fakeBus{ask: func(string) (string, error) { return test.answer, test.err }}
			among(t, b, nil, time.Hour, func(n *neighbourhood) {
				if !n.alone() {
					t.Error("a replica that nobody has heard of counts")
				}
				n.heard("other")
				n.after(5 * time.Second)
				if got := n.alone(); got != test.want {
					t.Errorf("got %v, want %v", got, test.want)
				}
			})
		})
	}
}

// The candidates for an order wait for each other: each order has a first one, and
// the next ones leave what was taken over meanwhile.
func TestCandidatesWaitForEachOther(t *testing.T) {
	refs := someRefs(60)
	owned := map[string][]Ref{"other": refs}
	b := &fakeBus{ask: func(id string) (string, error) {
		if id == "other" {
			return "", bus.ErrNoResponders
		}
		return "{}", nil
	}}
	among(t, b, owned, time.Hour, func(n *neighbourhood) {
		n.heard("third")
		n.heard("fourth")
		ranks := map[int]int{}
		for _, ref := range refs {
			ranks[n.rank(ref)]++
		}
		for rank := range 3 { // of three candidates besides the one that goes
			if ranks[rank] == 0 {
				t.Errorf("this replica is never candidate %d: %v", rank, ranks)
			}
		}
		found := n.after(5 * time.Second)
		waves := map[time.Duration]int{}
		for _, at := range found {
			waves[at]++
		}
		if len(found) != len(refs) || len(waves) < 3 {
			t.Errorf("%d of %d taken over in %d waves", len(found), len(refs), len(waves))
		}
	})
}

// Every order has one first candidate, and all replicas agree on the order of them.
func TestRanksAreAnOrder(t *testing.T) {
	t.Parallel()
	ids := []string{"a", "b", "c"}
	for _, ref := range someRefs(50) {
		var ranks []int
		for _, self := range ids {
			p := &peers{asker: &asker{self: self}, known: map[string]*peer{}}
			for _, id := range ids {
				p.heard(id)
			}
			ranks = append(ranks, p.rank(ref))
		}
		slices.Sort(ranks)
		if !slices.Equal(ranks, []int{0, 1, 2}) {
			t.Errorf("%v: ranks %v", ref, ranks)
		}
	}
}
