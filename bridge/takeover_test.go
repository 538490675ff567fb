package bridge

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/bus/bustest"
	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/schema"
)

// declining is a provider whose orders are declined, and whose stream shows one
// status some time after it was opened.
type declining struct {
	*quietProvider
	shows string
	after time.Duration
}

func (declining) Get(_ context.Context, _ redact.Secret, order string) (multisafepay.OrderState, error) {
	return multisafepay.OrderState{OrderID: order, Status: "declined"}, nil
}

func (p declining) Follow(ctx context.Context, _ multisafepay.Stream, h multisafepay.StreamHandler) error {
	h.Opened()
	time.Sleep(p.after)
	h.Event(multisafepay.StreamEvent{Order: &multisafepay.OrderEvent{OrderID: "o", SessionID: "s", Status: p.shows, TransactionID: "1"}})
	<-ctx.Done()
	return ctx.Err()
}

// inherited is a payment that replica b followed and published one status of.
type inherited struct {
	t      *testing.T
	r      *Replica
	server *bustest.Memory
	record bus.Record
	// at is the place of what b has published.
	at uint64
}

func inherit(t *testing.T, r *Replica, server *bustest.Memory) *inherited {
	t.Helper()
	i := &inherited{t: t, r: r, server: server}
	i.at = i.publish("initialized", 1, 0)
	sealed, err := seal(redact.NewSecret("key"), "T/o/n", multisafepay.Stream{URL: "https://provider.invalid/events", Token: redact.NewSecret("token")})
	if err != nil {
		t.Fatal(err)
	}
	i.record = bus.Record{Seq: 1, Order: "o", Hash: "h", Phase: bus.Open, Replica: "b", Epoch: 1, Answered: true, StartedAt: r.Clock.Now(), Sealed: sealed}
	return i
}

// publish has replica b publish a status.
func (i *inherited) publish(status string, sequence, after uint64) uint64 {
	i.t.Helper()
	e := schema.StatusEvent{OrderID: "o", TerminalID: "T", Status: status, Sequence: sequence, ObservedAt: i.r.Clock.Now()}
	at, err := i.r.Journal.Append(i.r.work, bus.Status{Event: e, Hash: "h", Replica: "b", Epoch: 1}, after)
	if err != nil {
		i.t.Errorf("replica b could not publish %s: %v", status, err)
	}
	return at
}

// write writes the record.
func (i *inherited) write() {
	i.t.Helper()
	if _, err := i.r.Records.PutRecord(i.r.work, "T", i.record, 0); err != nil {
		i.t.Fatal(err)
	}
}

// deliver has the session handed to the replica.
func (i *inherited) deliver() {
	i.t.Helper()
	start := bus.Session{Request: oneEuro, Hash: "h", Nonce: "n", StartedAt: i.record.StartedAt, Deadline: i.record.StartedAt.Add(i.r.StartDeadline)}
	if _, err := i.r.Queue.Enqueue(i.r.work, start); err != nil {
		i.t.Fatal(err)
	}
}

func (i *inherited) published() (statuses []string) {
	for _, s := range i.server.Statuses("T", "o") {
		statuses = append(statuses, s.Event.Status)
	}
	return statuses
}

// A replica that takes a session over and holds back for the one before writes
// down what it is shown meanwhile; were it killed, the next one would publish it.
func TestSeenWhileHoldingBack(t *testing.T) {
	t.Parallel()
	alone(t, declining{shows: "cancelled", after: calmOverlap / 2, quietProvider: &quietProvider{}}, func(r *Replica, server *bustest.Memory) {
		i := inherit(t, r, server)
		// Replica c had taken the session over from b, was shown that the card was
		// declined, and was killed while it held back.
		shown := r.Clock.Now().Add(time.Second)
		i.record.Replica, i.record.Epoch = "c", 2
		i.record.Seen, i.record.SeenAfter = []bus.Seen{{Status: "declined", At: shown, NotBefore: shown}}, i.at
		time.Sleep(10 * time.Second)
		i.write()
		i.deliver()
		time.Sleep(calmOverlap * 3 / 4)
		there, _, err := r.Records.Record(r.work, "T")
		if err != nil {
			t.Fatal(err)
		}
		var seen []string
		for _, s := range there.Seen {
			seen = append(seen, s.Status)
		}
		if got := i.published(); len(got) != 1 || !slices.Equal(seen, []string{"declined", "cancelled"}) || there.SeenAfter != i.at || there.Replica != "a" {
			t.Errorf("published %v, the record says %+v", got, there)
		}
		time.Sleep(calmOverlap)
		if got, want := i.published(), []string{"initialized", "declined", "cancelled"}; !slices.Equal(got, want) {
			t.Errorf("published %v, want %v", got, want)
		}
	})
}

// The successor of a replica that has handed a session over publishes soon after
// its record has said that it reads, whichever comes first, the note of the record's
// change or the end of its writing.
func TestSuccessorOfAHandOverPublishesSoon(t *testing.T) {
	t.Parallel()
	alone(t, declining{shows: "declined", quietProvider: &quietProvider{}}, func(r *Replica, server *bustest.Memory) {
		i := inherit(t, r, server)
		i.record.Replica = ""
		i.write()
		i.deliver()
		time.Sleep(2 * handOverSettle)
		if got := i.published(); len(got) != 2 {
			t.Errorf("published %v %s after the successor reads, want 2 statuses", got, 2*handOverSettle)
		}
	})
}

// A replica that takes a session over holds back for the one before also when the
// answers to its claims were lost, and its own claim stands in the record already.
func TestLostAnswersToClaims(t *testing.T) {
	t.Parallel()
	alone(t, declining{shows: "cancelled", quietProvider: &quietProvider{}}, func(r *Replica, server *bustest.Memory) {
		i := inherit(t, r, server)
		i.write()
		r.Records = &forgetful{Records: r.Records}
		i.deliver()
		time.Sleep(calmOverlap + 2*maxRetryPause)
		i.publish("declined", 2, i.at) // what b was shown before, and could not publish yet
		time.Sleep(2 * stormOverlap)
		if got := i.published(); len(got) != 3 {
			t.Errorf("published %v, want 3 statuses", got)
		}
	})
}

// forgetful loses the answers to the first two writes.
type forgetful struct {
	Records
	lost atomic.Int32
}

func (f *forgetful) PutRecord(ctx context.Context, terminal string, r bus.Record, revision uint64) (uint64, error) {
	seq, err := f.Records.PutRecord(ctx, terminal, r, revision)
	if err == nil && f.lost.Add(1) <= 2 {
		return 0, errors.New("no answer in time")
	}
	return seq, err
}
