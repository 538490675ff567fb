package bus_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/subjects"
)

// What is missing is made as the contract has it; what is there is left alone.
func TestEnsureMakesTheObjects(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	made, err := b.Ensure(t.Context())
	if want := (bus.Made{Statuses: true, Sessions: true}); err != nil || made != want {
		t.Fatalf("got %+v, %v, want %+v", made, err, want)
	}
	config := func(name string) jetstream.StreamConfig {
		t.Helper()
		s, err := b.js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return s.CachedInfo().Config
	}
	statuses := config("POS_STATUS")
	if !slices.Equal(statuses.Subjects, []string{"pos.*.*.journal.*"}) || statuses.Storage != jetstream.FileStorage ||
		!statuses.AllowDirect || !statuses.AllowRollup || !statuses.AllowMsgTTL || statuses.MaxAge != 4*time.Hour || statuses.Retention != jetstream.LimitsPolicy {
		t.Errorf("POS_STATUS is %+v", statuses)
	}
	queue := config("POS_SESSIONS")
	if !slices.Equal(queue.Subjects, []string{"pos.*.session"}) || queue.Storage != jetstream.FileStorage || queue.Retention != jetstream.WorkQueuePolicy {
		t.Errorf("POS_SESSIONS is %+v", queue)
	}
	consumer, err := b.js.Consumer(t.Context(), "POS_SESSIONS", "bridge")
	if err != nil {
		t.Fatal(err)
	}
	if c := consumer.CachedInfo().Config; c.AckPolicy != jetstream.AckExplicitPolicy || c.AckWait != 2*time.Second || c.MaxDeliver != -1 || c.MaxAckPending != -1 {
		t.Errorf("the consumer is %+v", c)
	}
	if made, err := b.Ensure(t.Context()); err != nil || made != (bus.Made{}) {
		t.Errorf("again: got %+v, %v", made, err)
	}
	if warnings, err := b.Warnings(t.Context()); err != nil || len(warnings) > 0 {
		t.Errorf("got %q, %v", warnings, err)
	}
}

// Three replicas that start at once make one set of objects.
func TestEnsureRaces(t *testing.T) {
	t.Parallel()
	for range 5 {
		b := setup(t, "")
		makers := []*bus.Bus{b.Bus, b.another(), b.another()}
		var group errgroup.Group
		for _, maker := range makers {
			group.Go(func() error {
				_, err := ensure(t.Context(), maker)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Enqueue(t.Context(), session("T1", "o")); err != nil {
			t.Error(err)
		}
	}
}

// Objects that do not fit end the start, each with one line that says what is
// wrong and what to change.
func TestUnfitObjects(t *testing.T) {
	t.Parallel()
	stream := func(change func(*jetstream.StreamConfig), name string, subjects ...string) func(*bundle) error {
		return func(b *bundle) error {
			c := jetstream.StreamConfig{Name: name, Subjects: subjects, AllowDirect: true}
			if name == "POS_SESSIONS" {
				c.Retention = jetstream.WorkQueuePolicy
			}
			if change != nil {
				change(&c)
			}
			_, err := b.js.CreateStream(b.t.Context(), c)
			return err
		}
	}
	// changed makes the objects as they should be, and then one of them other.
	changed := func(name string, change func(*jetstream.StreamConfig)) func(*bundle) error {
		return func(b *bundle) error {
			if _, err := b.Ensure(b.t.Context()); err != nil {
				return err
			}
			s, err := b.js.Stream(b.t.Context(), name)
			if err != nil {
				return err
			}
			c := s.CachedInfo().Config
			change(&c)
			if _, err = b.js.UpdateStream(b.t.Context(), c); err == nil {
				return nil
			}
			// What cannot be changed is made anew.
			if err := b.js.DeleteStream(b.t.Context(), name); err != nil {
				return err
			}
			_, err = b.js.CreateStream(b.t.Context(), c)
			return err
		}
	}
	// consumer makes the queue with a consumer of another kind.
	consumer := func(change func(*jetstream.ConsumerConfig)) func(*bundle) error {
		return func(b *bundle) error {
			if err := stream(nil, "POS_SESSIONS", "pos.*.session")(b); err != nil {
				return err
			}
			return b.addConsumer(change)
		}
	}
	for _, tt := range []struct {
		name string
		make func(*bundle) error
		// object and problem are parts of the line.
		object, problem, hint string
	}{
		{
			"queue with limits retention", stream(func(c *jetstream.StreamConfig) { c.Retention = jetstream.LimitsPolicy }, "POS_SESSIONS", "pos.*.session"),
			"POS_SESSIONS", "retention", "delete or rename",
		},
		{
			"statuses in a work queue", stream(func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy }, "POS_STATUS", "pos.*.*.journal.*"),
			"POS_STATUS", "retention", "delete or rename",
		},
		{"other stream on the same subjects", stream(nil, "MINE", "pos.>"), "POS_STATUS", "overlap", "BRIDGE_SUBJECT_PREFIX"},
		{"other stream on the queue's", stream(nil, "MINE", "pos.*.session"), "POS_SESSIONS", "overlap", "BRIDGE_SUBJECT_PREFIX"},
		{"statuses in memory", changed("POS_STATUS", func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage }), "POS_STATUS", "memory", "delete or rename"},
		{"queue in memory", changed("POS_SESSIONS", func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage }), "POS_SESSIONS", "memory", "delete or rename"},
		{"queue that forgets", changed("POS_SESSIONS", func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }), "POS_SESSIONS", "1h", "max-age 0"},
		{
			"queue that makes room", changed("POS_SESSIONS", func(c *jetstream.StreamConfig) { c.MaxMsgs = 10 }),
			"POS_SESSIONS", "discards", "discard new",
		},
		{"statuses of few", changed("POS_STATUS", func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1 }), "POS_STATUS", "1 messages per subject", "delete or rename"},
		{"statuses without direct get", changed("POS_STATUS", func(c *jetstream.StreamConfig) { c.AllowDirect = false }), "POS_STATUS", "direct", "--allow-direct"},
		{"statuses without acknowledgement", changed("POS_STATUS", func(c *jetstream.StreamConfig) { c.NoAck = true }), "POS_STATUS", "acknowledge", "--ack"},
		{"statuses without republish", changed("POS_STATUS", func(c *jetstream.StreamConfig) { c.RePublish = nil }), "POS_STATUS", "republish", "delete or rename"},
		{
			"statuses without transform", changed("POS_STATUS", func(c *jetstream.StreamConfig) { c.SubjectTransform, c.RePublish = nil, nil }),
			"POS_STATUS", "transform", "delete or rename",
		},
		{"statuses without rollup", changed("POS_STATUS", func(c *jetstream.StreamConfig) { c.AllowRollup = false }), "POS_STATUS", "rollup", "--allow-rollup"},
		{"statuses without message TTL", changed("POS_STATUS", func(c *jetstream.StreamConfig) { c.AllowMsgTTL = false }), "POS_STATUS", "message TTL", "--allow-msg-ttl"},
		{"statuses that forget claims", changed("POS_STATUS", func(c *jetstream.StreamConfig) { c.MaxAge = 2 * time.Hour }), "POS_STATUS", "2h0m0s", "--max-age 4h0m0s"},
		{"statuses for few watchers", changed("POS_STATUS", func(c *jetstream.StreamConfig) { c.MaxConsumers = 1 }), "POS_STATUS", "1 consumers", "delete or rename"},
		{"other subjects", changed("POS_SESSIONS", func(c *jetstream.StreamConfig) { c.Subjects = []string{"pos.T1.session"} }), "POS_SESSIONS", "pos.T1.session", "delete or rename"},
		{"queue of short messages", changed("POS_SESSIONS", func(c *jetstream.StreamConfig) { c.MaxMsgSize = 100 }), "POS_SESSIONS", "at most 100 bytes", "--max-msg-size 65536"},
		{"statuses of short messages", changed("POS_STATUS", func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1 << 15 }), "POS_STATUS", "at most 32768 bytes", "--max-msg-size 65536"},
		{"queue that keeps all", changed("POS_SESSIONS", func(c *jetstream.StreamConfig) { c.DenyDelete = true }), "POS_SESSIONS", "deny delete", "delete or rename"},
		{
			"queue that republishes", changed("POS_SESSIONS", func(c *jetstream.StreamConfig) { c.RePublish = &jetstream.RePublish{Destination: "x.>"} }),
			"POS_SESSIONS", "but must be off", "delete or rename",
		},
		{
			"statuses acknowledged too early", changed("POS_STATUS", func(c *jetstream.StreamConfig) { c.PersistMode = jetstream.AsyncPersistMode }),
			"POS_STATUS", "persist mode", "delete or rename",
		},
		{"sealed", changed("POS_STATUS", func(c *jetstream.StreamConfig) { c.Sealed = true }), "POS_STATUS", "sealed", "delete or rename"},
		{"another consumer on the queue", consumer(func(c *jetstream.ConsumerConfig) { c.Durable = "mine" }), "POS_SESSIONS", "consumer", "remove other consumers"},
		{"a filtered consumer", consumer(func(c *jetstream.ConsumerConfig) { c.FilterSubject = "pos.T1.session" }), "POS_SESSIONS", "filters subjects", "delete it"},
		{"a consumer in memory", consumer(func(c *jetstream.ConsumerConfig) { c.MemoryStorage = true }), "POS_SESSIONS", "memory", "delete it"},
		{"a push consumer", consumer(func(c *jetstream.ConsumerConfig) { c.DeliverSubject = "mine" }), "POS_SESSIONS", "pushes", "delete it"},
		{"a consumer that goes slowly", consumer(func(c *jetstream.ConsumerConfig) { c.ReplayPolicy = jetstream.ReplayOriginalPolicy }), "POS_SESSIONS", "replays", "delete it"},
		{
			"a paused consumer", consumer(func(c *jetstream.ConsumerConfig) { c.PauseUntil = new(time.Now().Add(time.Hour)) }),
			"POS_SESSIONS", "paused", "nats consumer resume POS_SESSIONS bridge",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, "")
			if err := tt.make(b); err != nil {
				t.Fatal(err)
			}
			_, err := b.another().Ensure(t.Context())
			checkUnfit(t, err, tt.object, tt.problem, tt.hint)
		})
	}
}

// addConsumer makes a consumer on the queue, without the help of nats.go, which
// keeps pull and push apart.
func (b *bundle) addConsumer(change func(*jetstream.ConsumerConfig)) error {
	c := jetstream.ConsumerConfig{Durable: "bridge", AckPolicy: jetstream.AckExplicitPolicy}
	change(&c)
	if c.DeliverSubject != "" {
		_, err := b.js.CreatePushConsumer(b.t.Context(), "POS_SESSIONS", c)
		return err
	}
	_, err := b.js.CreateConsumer(b.t.Context(), "POS_SESSIONS", c)
	return err
}

// pos-bridge check sees what would end the start, without touching it.
func TestInspectUnfitConsumer(t *testing.T) {
	t.Parallel()
	for problem, change := range map[string]func(*jetstream.ConsumerConfig){
		"pushes": func(c *jetstream.ConsumerConfig) { c.DeliverSubject = "mine" },
		"paused": func(c *jetstream.ConsumerConfig) { c.PauseUntil = new(time.Now().Add(time.Hour)) },
	} {
		b := ready(t, "")
		if err := b.js.DeleteConsumer(t.Context(), "POS_SESSIONS", "bridge"); err != nil {
			t.Fatal(err)
		}
		if err := b.addConsumer(change); err != nil {
			t.Fatal(err)
		}
		objects, err := b.Inspect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		checkUnfit(t, objects[len(objects)-1].Unfit, "POS_SESSIONS", problem)
	}
}

// What the server lets be changed in a consumer is set right, whoever made it.
func TestConsumerIsSetRight(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*jetstream.ConsumerConfig){
		"backoff": func(c *jetstream.ConsumerConfig) {
			c.BackOff = []time.Duration{500 * time.Millisecond, time.Hour}
			c.MaxDeliver = 3
		},
		"backoff for ever": func(c *jetstream.ConsumerConfig) {
			c.BackOff, c.MaxDeliver = []time.Duration{500 * time.Millisecond, time.Hour}, -1
		},
		"max deliver":     func(c *jetstream.ConsumerConfig) { c.MaxDeliver = 1 },
		"max ack pending": func(c *jetstream.ConsumerConfig) { c.MaxAckPending = 1 },
		"headers only":    func(c *jetstream.ConsumerConfig) { c.HeadersOnly = true },
		"max expires":     func(c *jetstream.ConsumerConfig) { c.MaxRequestExpires = time.Second },
		"max bytes":       func(c *jetstream.ConsumerConfig) { c.MaxRequestMaxBytes = 10 },
		"max batch":       func(c *jetstream.ConsumerConfig) { c.MaxRequestBatch = 1 },
		"inactive":        func(c *jetstream.ConsumerConfig) { c.InactiveThreshold = time.Minute },
		"priority groups": func(c *jetstream.ConsumerConfig) {
			c.PriorityPolicy, c.PriorityGroups = jetstream.PriorityPolicyOverflow, []string{"g"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := ready(t, "")
			if err := b.js.DeleteConsumer(t.Context(), "POS_SESSIONS", "bridge"); err != nil {
				t.Fatal(err)
			}
			if err := b.addConsumer(func(c *jetstream.ConsumerConfig) {
				c.AckWait, c.MaxDeliver, c.MaxAckPending = 2*time.Second, -1, -1
				change(c)
			}); err != nil {
				t.Fatal(err)
			}
			replica := b.Bus
			if name == "max ack pending" { // an account may limit it: each replica sets it once, when it starts
				replica = b.another()
			}
			if _, err := replica.Ensure(t.Context()); err != nil {
				t.Fatal(err)
			}
			consumer, err := b.js.Consumer(t.Context(), "POS_SESSIONS", "bridge")
			if err != nil {
				t.Fatal(err)
			}
			got := consumer.CachedInfo().Config
			if len(got.BackOff) > 0 || got.AckWait != 2*time.Second || got.MaxDeliver != -1 || got.MaxAckPending != -1 || got.HeadersOnly ||
				got.MaxRequestExpires != 0 || got.MaxRequestMaxBytes != 0 || got.MaxRequestBatch != 0 || got.InactiveThreshold != 0 || got.PriorityPolicy != jetstream.PriorityPolicyNone {
				t.Errorf("the consumer is %+v", got)
			}
		})
	}
}

func checkUnfit(t *testing.T, err error, parts ...string) {
	t.Helper()
	if _, ok := errors.AsType[*bus.UnfitError](err); !ok {
		t.Fatalf("got %v, want a *bus.UnfitError", err)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %q", err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}

func TestJetStreamIsOff(t *testing.T) {
	t.Parallel()
	off := setup(t, natstest.Run(t, natstest.WithoutJetStream()).URL())
	_, err := off.Ensure(t.Context())
	checkUnfit(t, err, "JetStream", "switched off", "--jetstream")

	// Nobody answers for a domain also while the leaf connection to it is away.
	leaf := setup(t, "", func(o *bus.Options) { o.Domain = "nowhere" })
	_, err = leaf.Ensure(t.Context())
	if _, unfit := errors.AsType[*bus.UnfitError](err); unfit || err == nil || !strings.Contains(err.Error(), "domain nowhere") {
		t.Errorf("got %v, want an error that may pass and names the domain", err)
	}

	account := setup(t, natstest.Run(t, natstest.WithConfig(`
		accounts { JS { jetstream: enabled, users: [ { user: js, password: js } ] }, PLAIN { users: [ { user: plain, password: plain } ] } }
		no_auth_user: plain
	`)).URL())
	_, err = account.Ensure(t.Context())
	checkUnfit(t, err, "JetStream", "account", "enable")
}

func TestReplicasThatCannotBe(t *testing.T) {
	t.Parallel()
	b := setup(t, "", func(o *bus.Options) { o.Replicas = 3 })
	_, err := b.Ensure(t.Context())
	checkUnfit(t, err, "POS_STATUS", "3 replicas", "BRIDGE_JETSTREAM_REPLICAS")
}

func TestAccountLimits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ limits, object, problem, hint string }{
		{"max_streams: 1", "POS_SESSIONS", "limits", "raise"},
		{"max_bytes_required: true", "POS_STATUS", "max bytes", "max_bytes_required"},
	} {
		b := setup(t, natstest.Run(t, natstest.WithConfig(`
			accounts { A { jetstream: { `+tt.limits+` }, users: [ { user: a, password: a } ] } }
			no_auth_user: a
		`)).URL())
		_, err := b.Ensure(t.Context())
		checkUnfit(t, err, tt.object, tt.problem, tt.hint)
	}
}

// A permission that is missing shows as a time-out; the line names it.
func TestPermissionsAreMissing(t *testing.T) {
	t.Parallel()
	b := setup(t, natstest.Run(t, natstest.WithConfig(`
		authorization { users: [ { user: u, password: p, permissions: { publish: [ "$JS.API.INFO" ], subscribe: "_INBOX.>" } } ] }
		no_auth_user: u
	`)).URL())
	_, err := b.Ensure(t.Context())
	checkUnfit(t, err, "NATS permissions", "$JS.API.STREAM", "grant")
}

// What is merely different is kept, and said.
func TestWarnings(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	other := b.another(func(o *bus.Options) { o.StatusMaxAge, o.Replicas = 5*time.Hour, 3 })
	if _, err := other.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	warnings, err := other.Warnings(t.Context())
	if err != nil || len(warnings) != 3 {
		t.Fatalf("got %q, %v, want three", warnings, err)
	}
	all := strings.Join(warnings, "\n")
	for _, part := range []string{"POS_STATUS: 1 copy", "POS_SESSIONS: 1 copy", "nats stream edit POS_SESSIONS --replicas 3", "4h0m0s", "5h0m0s", "nats stream edit POS_STATUS"} {
		if !strings.Contains(all, part) {
			t.Errorf("%s does not say %q", all, part)
		}
	}
}

// A second replica with another BRIDGE_REPLICA_TTL sets the consumer, once.
func TestConsumerFollowsTheLastStart(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	other := b.another(func(o *bus.Options) { o.ReplicaTTL = 3 * time.Second })
	for _, replica := range []*bus.Bus{other, b.Bus} {
		if _, err := replica.Ensure(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	consumer, err := b.js.Consumer(t.Context(), "POS_SESSIONS", "bridge")
	if err != nil || consumer.CachedInfo().Config.AckWait != 3*time.Second {
		t.Errorf("AckWait is %s, %v", consumer.CachedInfo().Config.AckWait, err)
	}
}

// Objects of another prefix live beside each other.
func TestTwoPrefixes(t *testing.T) {
	t.Parallel()
	b := ready(t, "")
	space, err := subjects.New("shop.till")
	if err != nil {
		t.Fatal(err)
	}
	other := b.another(func(o *bus.Options) { o.Space = space })
	if made, err := other.Ensure(t.Context()); err != nil || made != (bus.Made{Statuses: true, Sessions: true}) {
		t.Fatalf("got %+v, %v", made, err)
	}
	for _, one := range []*bus.Bus{b.Bus, other} { // the same terminal is locked in each
		if _, err := one.Enqueue(t.Context(), session("T1", "o")); err != nil {
			t.Error(err)
		}
	}
}
