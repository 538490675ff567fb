package bridge

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/bus/bustest"
	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/schema"
)

// What a follower was shown and did not come to publish, after what others have
// published since.
func TestUnpublished(t *testing.T) {
	t.Parallel()
	shown := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		before                string
		seen, published, want []string
	}{
		"nothing was published":             {"initialized", []string{"declined"}, nil, []string{"declined"}},
		"it was published":                  {"initialized", []string{"declined"}, []string{"declined"}, nil},
		"and more":                          {"initialized", []string{"declined"}, []string{"declined", "initialized"}, nil},
		"the first of two":                  {"initialized", []string{"declined", "initialized"}, []string{"declined"}, []string{"initialized"}},
		"a repeat of what stood there":      {"initialized", []string{"initialized on connecting"}, []string{"declined"}, nil},
		"what stood there, anew":            {"initialized", []string{"initialized"}, []string{"declined"}, []string{"initialized"}},
		"back to what stood there":          {"initialized", []string{"declined", "initialized", "completed"}, []string{"declined", "initialized"}, []string{"completed"}},
		"something else":                    {"", []string{"declined"}, []string{"initialized"}, []string{"declined"}},
		"the last, the others by an answer": {"", []string{"initialized", "declined", "completed"}, []string{"completed"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var seen []bus.Seen
			for _, status := range tt.seen {
				status, opening := strings.CutSuffix(status, " on connecting")
				seen = append(seen, bus.Seen{Status: status, At: shown, NotBefore: shown, Opening: opening})
			}
			var since []bus.Status
			previous := tt.before
			for _, status := range tt.published {
				since = append(since, bus.Status{Event: schema.StatusEvent{Status: status, PreviousStatus: previous, ObservedAt: shown}})
				previous = status
			}
			var got []string
			for _, s := range unpublished(seen, since) {
				got = append(got, s.Status)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// A replica that takes a session over and holds back for the one before writes
// down what it is shown meanwhile; were it killed, the next one would publish it.
func TestSeenWhileHoldingBack(t *testing.T) {
	t.Parallel()
	p := declining{&quietProvider{follow: func(ctx context.Context, h multisafepay.StreamHandler) error {
		h.Opened()
		time.Sleep(calmOverlap / 2)
		h.Event(multisafepay.StreamEvent{Order: &multisafepay.OrderEvent{OrderID: "o", SessionID: "s", Status: "cancelled", TransactionID: "1"}})
		<-ctx.Done()
		return ctx.Err()
	}}}
	alone(t, p, func(r *Replica, server *bustest.Memory) {
		now := r.Clock.Now()
		start := bus.Session{Request: oneEuro, Hash: "h", Nonce: "n", StartedAt: now, Deadline: now.Add(r.StartDeadline)}
		e := schema.StatusEvent{OrderID: "o", TerminalID: "T", Status: "initialized", Sequence: 1, ObservedAt: now}
		at, err := r.Journal.Append(r.work, bus.Status{Event: e, Hash: "h", Replica: "b", Epoch: 1}, 0)
		if err != nil {
			t.Fatal(err)
		}
		// Replica c had taken the session over from b, was shown that the card was
		// declined, and was killed while it held back.
		sealed, err := seal(multisafepay.NewSecret("key"), "T/o/n", multisafepay.Stream{URL: "https://provider.invalid/events", Token: multisafepay.NewSecret("token")})
		if err != nil {
			t.Fatal(err)
		}
		record := bus.Record{
			Seq: 1, Order: "o", Hash: "h", Phase: bus.Open, Replica: "c", Epoch: 2, Answered: true, StartedAt: now,
			Sealed: sealed, Seen: []bus.Seen{{Status: "declined", At: now.Add(time.Second), NotBefore: now.Add(time.Second)}}, SeenAfter: at,
		}
		if _, err := r.Records.PutRecord(r.work, "T", record, 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if _, err := r.Queue.Enqueue(r.work, start); err != nil {
			t.Fatal(err)
		}
		time.Sleep(calmOverlap * 3 / 4)
		there, _, err := r.Records.Record(r.work, "T")
		if err != nil {
			t.Fatal(err)
		}
		var seen []string
		for _, s := range there.Seen {
			seen = append(seen, s.Status)
		}
		if got := len(server.Statuses("T", "o")); got != 1 || !slices.Equal(seen, []string{"declined", "cancelled"}) || there.SeenAfter != at || there.Replica != "a" {
			t.Errorf("%d statuses published, the record says %+v", got, there)
		}
		time.Sleep(calmOverlap)
		var published []string
		for _, s := range server.Statuses("T", "o") {
			published = append(published, s.Event.Status)
		}
		if want := []string{"initialized", "declined", "cancelled"}; !slices.Equal(published, want) {
			t.Errorf("published %v, want %v", published, want)
		}
	})
}

// declining is a provider whose orders are declined.
type declining struct{ *quietProvider }

func (declining) Get(_ context.Context, _ multisafepay.Secret, order string) (multisafepay.OrderState, error) {
	return multisafepay.OrderState{OrderID: order, Status: "declined"}, nil
}
