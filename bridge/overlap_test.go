package bridge

import (
	"errors"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/bus/bustest"
	"github.com/posbridge/bridge/schema"
)

// What a replica that leaves its session publishes: what the stream told, and an
// answer before it, which cannot be had again; not what its successor can ask for
// or decides.
func TestWhatALeavingReplicaTells(t *testing.T) {
	t.Parallel()
	const (
		told    = schema.SourceStream
		answer  = schema.SourceReconcile
		decided = schema.SourceBridge
	)
	for name, tt := range map[string]struct {
		pending []string
		drop    bool
	}{
		"an event":                    {[]string{told}, false},
		"an answer alone":             {[]string{answer}, true},
		"an answer behind an event":   {[]string{told, answer}, false},
		"an answer before an event":   {[]string{answer, told}, false},
		"two answers":                 {[]string{answer, answer}, true},
		"giving up":                   {[]string{decided}, true},
		"giving up before an event":   {[]string{decided, told}, true},
		"an answer before giving up":  {[]string{answer, decided}, true},
		"an answer, giving up, event": {[]string{answer, decided, told}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &follower{}
			for _, source := range tt.pending {
				f.pending = append(f.pending, observed{Observation: Observation{Source: source}})
			}
			if got := f.isSuccessors(); got != tt.drop {
				t.Errorf("the first of %q is the successor's: %v, want %v", tt.pending, got, tt.drop)
			}
		})
	}
}

// A leaving replica leaves at once when all that is pending is its successor's.
func TestLeavingReplicaPublishesNoAnswer(t *testing.T) {
	t.Parallel()
	alone(t, &quietProvider{follow: silence}, func(r *Replica, server *bustest.Memory) {
		f := &follower{session: newSession(r, bus.Delivery{Session: bus.Session{Request: oneEuro, Nonce: "n"}, Seq: 7}), results: make(chan func(), 4)}
		f.pending = []observed{{Observation: Observation{Source: schema.SourceReconcile, Status: "completed"}}}
		f.departing = errLost
		f.flush(r.work)
		time.Sleep(time.Second) // what it may have begun is stored by now
		if got := server.Statuses("T", "o"); !errors.Is(f.leaving, errLost) || len(f.pending) != 0 || len(got) != 0 {
			t.Errorf("leaving %v with %d pending, published %+v", f.leaving, len(f.pending), got)
		}
	})
}

// The replica before has published once more, late, what its successor does not
// know of. The successor finds out before it takes for a repeat what is none.
func TestSuccessorFindsLateNews(t *testing.T) {
	t.Parallel()
	alone(t, &quietProvider{follow: silence}, func(r *Replica, server *bustest.Memory) {
		var stored []uint64
		for i, status := range []string{"initialized", "declined"} {
			e := schema.StatusEvent{OrderID: "o", TerminalID: "T", Status: status, Sequence: uint64(i + 1), ObservedAt: r.Clock.Now()}
			seq, err := r.Journal.Append(r.work, bus.Status{Event: e, Replica: "b", Epoch: 1}, lastOf(stored))
			if err != nil {
				t.Fatal(err)
			}
			stored = append(stored, seq)
		}
		time.Sleep(time.Second)
		f := &follower{
			session: newSession(r, bus.Delivery{Session: bus.Session{Request: oneEuro, Nonce: "n"}, Seq: 7}),
			results: make(chan func(), 4), askAt: time.NewTimer(noAsk), poll: r.backoff(),
		}
		var err error
		if f.held, err = r.claimRecord(r.work, "T", held{record: bus.Record{Seq: 7, Order: "o", Epoch: 2, Replica: "a"}}); err != nil {
			t.Fatal(err)
		}
		f.state, f.stored = State{Status: "initialized", Sequence: 1}, stored[0]
		now := r.Clock.Now()
		f.pending = []observed{{Observation: Observation{Source: schema.SourceStream, Status: "initialized", At: now, NotBefore: now}}}
		for f.flush(r.work); len(f.pending) > 0 && f.leaving == nil; f.flush(r.work) {
			(<-f.results)()
		}
		if f.writing {
			(<-f.results)()
		}
		got := server.Statuses("T", "o")
		if len(got) != 3 || got[2].Event.Status != "initialized" || got[2].Event.Sequence != 3 {
			t.Errorf("leaving %v, published %+v", f.leaving, got)
		}
	})
}

func lastOf(seqs []uint64) uint64 {
	if len(seqs) == 0 {
		return 0
	}
	return seqs[len(seqs)-1]
}
