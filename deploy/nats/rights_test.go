package nats_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/natsserver"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/simulator/simulatortest"
	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/schema"
)

// patience is how long a test waits for something that must happen.
const patience = 20 * time.Second

// The users of the configurations, by the variable of their public nkey.
const (
	theBridge  = "POS_BRIDGE_NKEY"
	operator   = "POS_OPERATOR_NKEY"
	tillT1     = "POS_TILL_T1_NKEY"
	subscriber = "POS_SUBSCRIBER_NKEY"
)

// seeds are the secret halves, made for this run.
var seeds = map[string][]byte{}

func TestMain(m *testing.M) {
	for _, user := range []string{theBridge, operator, tillT1, subscriber} {
		pair, err := nkeys.CreateUser()
		if err != nil {
			panic(err)
		}
		public, err := pair.PublicKey()
		if err != nil {
			panic(err)
		}
		if seeds[user], err = pair.Seed(); err != nil {
			panic(err)
		}
		if err := os.Setenv(user, public); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// start runs a real nats-server with one of the configurations.
func start(t *testing.T, config string) *natsserver.Server {
	t.Helper()
	return natstest.Run(t, natstest.WithConfigFile(config))
}

// as connects as one of the users. Refusals of the server are gathered.
func as(t *testing.T, s *natsserver.Server, user string, opts ...nats.Option) *client {
	t.Helper()
	pair, err := nkeys.FromSeed(seeds[user])
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t}
	opts = append([]nats.Option{
		nats.Nkey(os.Getenv(user), pair.Sign),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.errors = append(c.errors, err)
		}),
	}, opts...)
	c.Conn = natstest.Connect(t, s.URL(), opts...)
	return c
}

type client struct {
	*nats.Conn
	t      *testing.T
	mu     sync.Mutex
	errors []error
}

// may tries one thing and reports whether the server let it. It can tell once per
// client: a refusal is remembered.
func (c *client) may(verb, subject string) bool {
	c.t.Helper()
	switch verb {
	case "publish":
		if err := c.Publish(subject, []byte("{}")); err != nil {
			c.t.Fatal(err)
		}
	case "subscribe":
		sub, err := c.Subscribe(subject, func(*nats.Msg) {})
		if err != nil {
			c.t.Fatal(err)
		}
		defer func() { _ = sub.Unsubscribe() }()
	}
	if err := c.Flush(); err != nil {
		c.t.Fatal(err)
	}
	// The server's refusal comes before its answer to the flush.
	return !errors.Is(c.LastError(), nats.ErrPermissionViolation)
}

// What each user of users.conf may and may not do, by itself.
func TestRights(t *testing.T) {
	t.Parallel()
	s := start(t, "users.conf")
	type right struct{ user, verb, subject string }
	allowed := []right{
		{tillT1, "publish", "pos.T1.payment.start"},
		{tillT1, "publish", "pos.T1.payment.cancel"},
		{tillT1, "publish", "pos.T1.payment.get"},
		{tillT1, "publish", "pos.T1.payment.receipt"},
		{tillT1, "subscribe", "pos.T1.*.status"},
		{tillT1, "subscribe", "pos.T1.INV%2F7.status"},
		{tillT1, "subscribe", "pos.T1.*.invalid"},
		{tillT1, "subscribe", "_INBOX.T1.abc.*"},
		{subscriber, "subscribe", "pos.*.*.status"},
		{subscriber, "subscribe", "pos.T1.*.status"},
		{subscriber, "subscribe", "pos.*.*.invalid"},
		{theBridge, "subscribe", "pos.*.payment.start"},
		{theBridge, "publish", "_INBOX.T1.abc.def"},
		{theBridge, "subscribe", "pos._replica.R1"},
		{theBridge, "publish", "pos._replica.R2"},
		{theBridge, "publish", "$JS.ACK.POS_SESSIONS.bridge.1.1.1.1.1"},
		{theBridge, "publish", "$JS.API.STREAM.NAMES"},
		{operator, "publish", "$JS.API.STREAM.UPDATE.POS_STATUS"},
	}
	denied := []right{
		// Another terminal.
		{tillT1, "publish", "pos.T2.payment.start"},
		{tillT1, "publish", "pos.T2.payment.cancel"},
		{tillT1, "publish", "pos.T2.payment.get"},
		{tillT1, "subscribe", "pos.T2.*.status"},
		{tillT1, "subscribe", "pos.*.*.status"},
		{tillT1, "subscribe", "pos.>"},
		{tillT1, "subscribe", ">"},
		// Commands that name a terminal in their body only.
		{tillT1, "publish", "pos.payment.start"},
		{tillT1, "publish", "pos.payment.list"},
		// Answers to others, commands of others.
		{tillT1, "subscribe", "_INBOX.>"},
		{tillT1, "subscribe", "_INBOX.T2.>"},
		{tillT1, "subscribe", "pos.T1.payment.start"},
		{tillT1, "publish", "_INBOX.T2.abc.def"},
		// What only the bridge writes, and JetStream.
		{tillT1, "publish", "pos.T1.A1.status"},
		{tillT1, "publish", "pos.T1.A1.journal.status"},
		{tillT1, "publish", "pos.T1.A1.journal.claim"},
		{tillT1, "publish", "pos.T1.A1.invalid"},
		{tillT1, "publish", "pos.T1.session"},
		{tillT1, "publish", "pos._replica.R1"},
		{tillT1, "subscribe", "pos._replica.R1"},
		{tillT1, "subscribe", "pos.*.*.claim"},
		{tillT1, "subscribe", "pos.T1.*.claim"},
		{tillT1, "subscribe", "pos.T1.A1.claim"},
		{tillT1, "subscribe", "pos.T1.*.journal.status"},
		{tillT1, "publish", "$JS.ACK.POS_SESSIONS.bridge.1.1.1.1.1"},
		{tillT1, "publish", "$JS.API.INFO"},
		{tillT1, "publish", "$JS.API.STREAM.DELETE.POS_STATUS"},
		{tillT1, "publish", "$JS.API.DIRECT.GET.POS_STATUS"},
		{tillT1, "publish", "$JS.API.CONSUMER.MSG.NEXT.POS_STATUS.till-T1"},
		{tillT1, "subscribe", "$JS.API.>"},
		{tillT1, "publish", "$SRV.PING"},
		// A reader writes nothing and answers nothing.
		{subscriber, "publish", "pos.T1.payment.start"},
		{subscriber, "publish", "pos.payment.list"},
		{subscriber, "publish", "pos.T1.A1.journal.status"},
		{subscriber, "publish", "pos.T1.A1.status"},
		{subscriber, "publish", "$JS.API.STREAM.PURGE.POS_STATUS"},
		{subscriber, "publish", "$JS.API.CONSUMER.CREATE.POS_STATUS"},
		{subscriber, "publish", "$JS.ACK.POS_SESSIONS.bridge.1.1.1.1.1"},
		{subscriber, "subscribe", "pos.T1.payment.start"},
		{subscriber, "subscribe", "pos.*.session"},
		{subscriber, "subscribe", "pos.*.*.claim"},
		{subscriber, "subscribe", "_INBOX.>"},
		{subscriber, "subscribe", ">"},
		// The bridge neither deletes nor changes what it made, and writes no
		// status but through the journal.
		{theBridge, "publish", "pos.T1.A1.status"},
		{theBridge, "publish", "pos.T1.payment.start"},
		{theBridge, "publish", "$JS.API.STREAM.DELETE.POS_STATUS"},
		{theBridge, "publish", "$JS.API.STREAM.UPDATE.POS_STATUS"},
		{theBridge, "publish", "$JS.API.STREAM.PURGE.POS_SESSIONS"},
		{theBridge, "publish", "$JS.API.STREAM.MSG.DELETE.POS_STATUS"},
		{theBridge, "publish", "$JS.API.STREAM.CREATE.OTHER"},
		{theBridge, "publish", "$JS.API.CONSUMER.DELETE.POS_SESSIONS.bridge"},
		{theBridge, "publish", "$JS.API.CONSUMER.DELETE.POS_STATUS.reports"},
		{theBridge, "publish", "$JS.ACK.POS_STATUS.reports.1.1.1.1.1"},
		{theBridge, "subscribe", ">"},
		{theBridge, "subscribe", "$JS.API.>"},
	}
	for _, r := range allowed {
		if !as(t, s, r.user).may(r.verb, r.subject) {
			t.Errorf("%s may not %s %s", r.user, r.verb, r.subject)
		}
	}
	for _, r := range denied {
		if as(t, s, r.user).may(r.verb, r.subject) {
			t.Errorf("%s may %s %s", r.user, r.verb, r.subject)
		}
	}
}

// The example of a whole server is one that nats-server takes, and has what the
// promises need.
func TestServerConfiguration(t *testing.T) {
	t.Parallel()
	o, err := server.ProcessConfigFile("nats-server.conf")
	if err != nil {
		t.Fatal(err)
	}
	if !o.JetStream || !o.SyncAlways {
		t.Errorf("JetStream %v, sync always %v; want both", o.JetStream, o.SyncAlways)
	}
	if o.Host != "127.0.0.1" || o.HTTPHost != "127.0.0.1" {
		t.Errorf("listens on %s and %s; an example should not be open to the network", o.Host, o.HTTPHost)
	}
	if len(o.Nkeys) != 4 {
		t.Errorf("%d users, want 4", len(o.Nkeys))
	}
}

// A client that is nobody does not get in.
func TestStrangersStayOutside(t *testing.T) {
	t.Parallel()
	for _, config := range []string{"users.conf", "accounts.conf"} {
		s := start(t, config)
		nc, err := nats.Connect(s.URL())
		if !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%s: got %v, want %v", config, err, nats.ErrAuthorization)
		}
		if err == nil {
			nc.Close()
		}
	}
}

// fleet is a nats-server, the simulated provider, and a bridge with its rights.
type fleet struct {
	t    *testing.T
	nats *natsserver.Server
	url  string
	logs *logs
}

// logs is a buffer that several goroutines may write to.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// setup starts all of it and waits until the bridge is ready.
func setup(t *testing.T, config string) *fleet {
	t.Helper()
	f := &fleet{t: t, nats: start(t, config), logs: &logs{}}
	sim := simulatortest.Start(t, simulator.Options{
		Pace:   100,
		Groups: []simulator.Group{{ID: "1", APIKey: "demo-key", Terminals: []string{"T1", "T2"}}},
	})
	seed := filepath.Join(t.TempDir(), "bridge.nk")
	if err := os.WriteFile(seed, seeds[theBridge], 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := bridge.Defaults("demo-key")
	if err != nil {
		t.Fatal(err)
	}
	c.NATS.URL = redact.NewSecret(f.nats.URL())
	c.NATS.NKeyFile = seed
	c.Provider.URL = sim.APIURL
	c.HTTP.Addr = "127.0.0.1:0"
	c.ReplicaID = "replica-1"
	c.Timing.ReplicaTTL = time.Second
	log, err := telemetry.NewLogger("debug", telemetry.FormatConsole, f.logs)
	if err != nil {
		t.Fatal(err)
	}
	d, err := bridge.New(c, bridge.Build{Version: "v0.0.0"}, log)
	if err != nil {
		t.Fatal(err)
	}
	f.url = "http://" + d.Addr().String()
	life, stop := context.WithCancel(context.Background())
	cut, cutNow := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(life, cut) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the bridge ended: %v", err)
		}
		cutNow()
		// Whatever the bridge tried during the test, it was allowed to.
		if text := f.logs.String(); strings.Contains(strings.ToLower(text), "permissions violation") {
			t.Errorf("the bridge was refused something:\n%s", text)
		}
	})
	f.eventually("the bridge is ready", func() bool {
		resp, err := http.Get(f.url + "/readyz")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return f
}

// eventually polls for what no event tells of.
func (f *fleet) eventually(what string, done func() bool) {
	f.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			f.t.Fatalf("waited %s: %s\n%s", patience, what, f.logs)
		case <-tick.C:
		}
	}
}

// follow gathers the statuses of one order until the final one.
func follow(t *testing.T, nc *nats.Conn, subject, order string) func() []string {
	t.Helper()
	events := make(chan schema.StatusEvent, 64)
	if _, err := nc.Subscribe(subject, func(m *nats.Msg) {
		var e schema.StatusEvent
		if json.Unmarshal(m.Data, &e) == nil && e.OrderID == order {
			events <- e
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return func() []string {
		t.Helper()
		var got []string
		for {
			select {
			case e := <-events:
				got = append(got, e.Status)
				if e.Final {
					return got
				}
			case <-time.After(patience):
				t.Fatalf("no final status of %s on %s; so far %v", order, subject, got)
			}
		}
	}
}

// A whole payment with these rights and no more: asked for by a till that is
// bound to its terminal, seen by it and by the read-only subscriber.
func TestPaymentWithLeastRights(t *testing.T) {
	t.Parallel()
	for config, inbox := range map[string]string{"users.conf": "_INBOX.T1", "accounts.conf": "_INBOX"} {
		t.Run(config, func(t *testing.T) {
			t.Parallel()
			f := setup(t, config)
			till := as(t, f.nats, tillT1, nats.CustomInboxPrefix(inbox))
			reader := as(t, f.nats, subscriber)
			tillSees := follow(t, till.Conn, "pos.T1.*.status", "A1")
			readerSees := follow(t, reader.Conn, "pos.*.*.status", "A1")

			reply, err := till.Request("pos.T1.payment.start", []byte(`{"order_id":"A1","amount":1250,"currency":"EUR"}`), patience)
			if err != nil {
				t.Fatalf("start: %v\n%s", err, f.logs)
			}
			var started schema.StartReply
			if err := json.Unmarshal(reply.Data, &started); err != nil || !started.Created || started.TerminalID != "T1" {
				t.Fatalf("start: %s", reply.Data)
			}
			want := []string{"initialized", "completed"}
			if got := tillSees(); !slices.Equal(got, want) {
				t.Errorf("the till saw %v, want %v", got, want)
			}
			if got := readerSees(); !slices.Equal(got, want) {
				t.Errorf("the subscriber saw %v, want %v", got, want)
			}
			reply, err = till.Request("pos.T1.payment.get", []byte(`{"terminal_id":"T1","order_id":"A1"}`), patience)
			if err != nil || !strings.Contains(string(reply.Data), `"status":"completed"`) {
				t.Errorf("get: %v %v", reply, err)
			}
			reply, err = till.Request("pos.T1.payment.start", []byte(`{"order_id":"A2","terminal_id":"T2","amount":1,"currency":"EUR"}`), patience)
			if err != nil || reply.Header.Get(schema.HeaderErrorCode) != "400" {
				t.Errorf("start on another terminal: %v %v, want error 400", reply, err)
			}
			// As "helm test" does it, with the bridge's own key.
			helm := as(t, f.nats, theBridge)
			if reply, err = helm.Request("pos.payment.list", []byte("{}"), patience); err != nil || !strings.HasPrefix(string(reply.Data), `{"sessions":[`) {
				t.Errorf("list: %v %v", reply, err)
			}
			for _, c := range []*client{till, reader, helm} {
				c.mu.Lock()
				if len(c.errors) > 0 {
					t.Errorf("refused: %v", c.errors)
				}
				c.mu.Unlock()
			}
		})
	}
}

// With an account for each client the others' subjects are not even there.
func TestAccountsAreApart(t *testing.T) {
	t.Parallel()
	f := setup(t, "accounts.conf")
	till, reader := as(t, f.nats, tillT1), as(t, f.nats, subscriber)
	for _, other := range []struct {
		client   *client
		subjects []string
	}{
		{till, []string{"pos.T2.payment.start", "pos.payment.list", "$SRV.PING.pos-bridge", "POS.API.CONSUMER.MSG.NEXT.POS_STATUS.reports"}},
		{reader, []string{"pos.T1.payment.start", "pos.T1.payment.get", "POS.API.CONSUMER.MSG.NEXT.POS_STATUS.till-T1", "$JS.API.CONSUMER.MSG.NEXT.POS_SESSIONS.bridge"}},
	} {
		for _, subject := range append(other.subjects, "POS.API.CONSUMER.CREATE.POS_STATUS.mine", "$JS.API.DIRECT.GET.POS_STATUS", "$JS.API.DIRECT.GET.POS_STATUS.pos.T1.A1.claim", "$JS.ACK.POS_SESSIONS.bridge.1.1.1.1.1", "pos.T1.A9.journal.status", "pos.T1.session") {
			if reply, err := other.client.Request(subject, []byte("{}"), patience); !errors.Is(err, nats.ErrNoResponders) {
				t.Errorf("%s: got %v %v, want %v", subject, reply, err, nats.ErrNoResponders)
			}
		}
		for _, subject := range []string{"STREAM.DELETE.POS_STATUS", "STREAM.PURGE.POS_STATUS", "STREAM.MSG.GET.POS_STATUS", "CONSUMER.CREATE.POS_STATUS.mine", "CONSUMER.CREATE.POS_STATUS.reports.pos.*.*.status"} {
			reply, err := other.client.Request("$JS.API."+subject, nil, patience)
			if err != nil || !strings.Contains(string(reply.Data), "not enabled for account") {
				t.Errorf("%s: got %v %v, want that the account has no JetStream", subject, reply, err)
			}
		}
	}
}

// makeConsumer makes a consumer as README.md tells the operator to.
func makeConsumer(t *testing.T, s *natsserver.Server, name, filter string) {
	t.Helper()
	js, err := jetstream.New(as(t, s, operator).Conn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateConsumer(t.Context(), "POS_STATUS", jetstream.ConsumerConfig{
		Durable: name, FilterSubject: filter, AckPolicy: jetstream.AckExplicitPolicy,
	}); err != nil {
		t.Fatal(err)
	}
}

// catchUp takes n statuses from the client's consumer and acknowledges them.
func catchUp(t *testing.T, c *client, consumer string, n int) []string {
	t.Helper()
	js, err := jetstream.NewWithAPIPrefix(c.Conn, "POS.API")
	if err != nil {
		t.Fatal(err)
	}
	stored, err := js.Consumer(t.Context(), "POS_STATUS", consumer)
	if err != nil {
		t.Fatal(err)
	}
	batch, err := stored.Fetch(n, jetstream.FetchMaxWait(patience))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for msg := range batch.Messages() {
		var e schema.StatusEvent
		if err := json.Unmarshal(msg.Data(), &e); err != nil {
			t.Errorf("%s: %v", msg.Subject(), err)
		}
		got = append(got, msg.Subject()+" "+e.Status)
		if err := msg.DoubleAck(t.Context()); err != nil {
			t.Errorf("acknowledge %s: %v", msg.Subject(), err)
		}
	}
	if err := batch.Error(); err != nil {
		t.Error(err)
	}
	return got
}

// pay makes a payment on a terminal and waits for its final status.
func (f *fleet) pay(terminal, order string) {
	f.t.Helper()
	nc := as(f.t, f.nats, operator).Conn
	done := follow(f.t, nc, "pos."+terminal+".*.status", order)
	body := []byte(`{"order_id":"` + order + `","amount":1,"currency":"EUR"}`)
	if reply, err := nc.Request("pos."+terminal+".payment.start", body, patience); err != nil || reply.Header.Get(schema.HeaderErrorCode) != "" {
		f.t.Fatalf("start %s: %v %v", order, reply, err)
	}
	done()
}

// Whoever was away reads the statuses it missed: a reader those of all terminals,
// a till its own. Both go on where they stopped.
func TestCatchingUp(t *testing.T) {
	t.Parallel()
	f := setup(t, "accounts.conf")
	makeConsumer(t, f.nats, "reports", "pos.*.*.status")
	makeConsumer(t, f.nats, "till-T1", "pos.T1.*.status")
	f.pay("T1", "A1")
	f.pay("T2", "B1")

	first := []string{"pos.T1.A1.status initialized", "pos.T1.A1.status completed"}
	if got, want := catchUp(t, as(t, f.nats, subscriber), "reports", 4), append(first, "pos.T2.B1.status initialized", "pos.T2.B1.status completed"); !slices.Equal(got, want) {
		t.Errorf("the reader found %q, want %q", got, want)
	}
	if got := catchUp(t, as(t, f.nats, tillT1), "till-T1", 2); !slices.Equal(got, first) {
		t.Errorf("the till found %q, want %q", got, first)
	}
	f.pay("T2", "B2")
	f.pay("T1", "A2")
	second := []string{"pos.T1.A2.status initialized", "pos.T1.A2.status completed"}
	if got := catchUp(t, as(t, f.nats, tillT1), "till-T1", 2); !slices.Equal(got, second) {
		t.Errorf("the till found %q, want %q", got, second)
	}
	if got, want := catchUp(t, as(t, f.nats, subscriber), "reports", 4), append([]string{"pos.T2.B2.status initialized", "pos.T2.B2.status completed"}, second...); !slices.Equal(got, want) {
		t.Errorf("the reader found %q, want %q", got, want)
	}
}

// A requester chooses where the answer goes; never to a subject that only the
// bridge may write.
func TestReplySubjectsCannotReachTheJournal(t *testing.T) {
	t.Parallel()
	for config, inbox := range map[string]string{"users.conf": "_INBOX.T1", "accounts.conf": "_INBOX"} {
		t.Run(config, func(t *testing.T) {
			t.Parallel()
			f := setup(t, config)
			till := as(t, f.nats, tillT1, nats.CustomInboxPrefix(inbox))
			for _, command := range []string{"get", "cancel", "start"} {
				for _, forged := range []string{"pos.T2.A9.journal.status", "pos.T2.A9.journal.claim", "pos.T2.session", "$JS.API.STREAM.PURGE.POS_STATUS"} {
					// Refused by all three: the amount is for start only, and wrong.
					body := []byte(`{"terminal_id":"T1","order_id":"none","amount":0}`)
					if err := till.PublishRequest("pos.T1.payment."+command, forged, body); err != nil {
						t.Fatal(err)
					}
				}
				// Requests of one connection on one subject are handled in turn:
				// with this one answered those before it have been read.
				if _, err := till.Request("pos.T1.payment."+command, []byte(`{"order_id":"none","amount":0}`), patience); err != nil {
					t.Fatal(err)
				}
			}
			if config == "accounts.conf" {
				// JetStream answers anywhere, but here the server chooses where.
				makeConsumer(t, f.nats, "till-T1", "pos.T1.*.status")
				f.pay("T1", "A1")
				forged := nats.NewMsg("POS.API.CONSUMER.MSG.NEXT.POS_STATUS.till-T1")
				forged.Reply = "pos.T2.session"
				if err := till.PublishMsg(forged); err != nil {
					t.Fatal(err)
				}
				if got := catchUp(t, till, "till-T1", 1); len(got) != 1 {
					t.Errorf("found %q, want one status", got)
				}
			}
			js, err := jetstream.New(as(t, f.nats, theBridge).Conn)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"POS_STATUS", "POS_SESSIONS"} {
				s, err := js.Stream(t.Context(), name)
				if err != nil {
					t.Fatal(err)
				}
				for subject, n := range subjectsOf(t, s) {
					if !strings.HasPrefix(subject, "pos.T1.") {
						t.Errorf("%s has %d messages on %s that the till had sent there", name, n, subject)
					}
				}
			}
		})
	}
}

// subjectsOf counts the messages of a stream by subject.
func subjectsOf(t *testing.T, s jetstream.Stream) map[string]uint64 {
	t.Helper()
	info, err := s.Info(t.Context(), jetstream.WithSubjectFilter(">"))
	if err != nil {
		t.Fatal(err)
	}
	return info.State.Subjects
}
