package bridge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/bridgetest"
	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/natsserver"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/simulator/simulatortest"
	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

func TestMain(m *testing.M) { bridgetest.Main(m) }

// patience is how long a test waits for something that must happen.
const patience = 20 * time.Second

// Terminals of the simulator's default group.
const (
	terminal1 = "SIM00001"
	terminal2 = "SIM00002"
	apiKey    = "demo-key"
)

// bundle is a bus, a provider, and a subscriber that sees every message of the
// bridge. When the test ends, what it saw is held to what is stored.
type bundle struct {
	*recorder
	t    *testing.T
	ctx  context.Context
	nats *natsserver.Server
	nc   *nats.Conn
	js   jetstream.JetStream
	sim  *simulatortest.Server
	// apiURL is the provider's: the simulator's, unless a test has its own.
	apiURL string
	// natsURL is where replicas look for NATS.
	natsURL string
	space   subjects.Space

	mu    sync.Mutex
	count int // of replicas
}

// options of setup. The zero value is an own server and an automatic simulator.
type options struct {
	simulator simulator.Options
	// provider answers in the simulator's place.
	provider http.Handler
	server   []natstest.Option
	prefix   string
}

// setup starts a nats-server and a simulator. Replicas are started by run.
func setup(t *testing.T, o options) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	t.Cleanup(cancel)
	b := &bundle{t: t, ctx: ctx, nats: natstest.Run(t, o.server...), space: subjects.Default()}
	if o.prefix != "" {
		var err error
		if b.space, err = subjects.New(o.prefix); err != nil {
			t.Fatal(err)
		}
	}
	b.natsURL = b.nats.URL()
	b.nc = natstest.Connect(t, b.natsURL)
	b.js, _ = jetstream.New(b.nc)
	b.recorder = record(t, b.nc, b.space)
	if o.provider != nil {
		b.apiURL = serve(t, o.provider) + "/v1/json"
	} else {
		b.sim = simulatortest.Start(t, o.simulator)
		b.apiURL = b.sim.APIURL
	}
	t.Cleanup(b.checkJournal)
	return b
}

// replica is one running daemon.
type replica struct {
	b    *bundle
	id   string
	url  string
	logs *bridgetest.Output
	// stop is SIGTERM, cut is the second one.
	stop, cut context.CancelFunc
	done      chan struct{}
	err       error // of Run, once done is closed
}

// config is a replica's configuration with everything short.
func (b *bundle) config(change ...func(*bridge.Config)) bridge.Config {
	b.t.Helper()
	c, err := bridge.Defaults(apiKey)
	if err != nil {
		b.t.Fatal(err)
	}
	b.mu.Lock()
	b.count++
	c.ReplicaID = fmt.Sprintf("replica-%d", b.count)
	b.mu.Unlock()
	c.NATS.URL = redact.NewSecret(b.natsURL)
	c.NATS.Space = b.space
	c.Provider.URL = b.apiURL
	c.HTTP.Addr = "127.0.0.1:0"
	c.Timing.ReplicaTTL = time.Second
	c.Timing.StartDeadline = 5 * time.Second
	c.Timing.BackoffInitial = 10 * time.Millisecond
	c.Timing.BackoffMax = 100 * time.Millisecond
	c.Timing.SettleWindow = 100 * time.Millisecond
	c.Timing.DrainTimeout = 5 * time.Second
	c.Timing.RequestTimeout = 2 * time.Second
	for _, f := range change {
		f(&c)
	}
	return c
}

// launch starts a daemon and does not wait for it to be ready.
func (b *bundle) launch(change ...func(*bridge.Config)) *replica {
	b.t.Helper()
	c := b.config(change...)
	r := &replica{b: b, id: c.ReplicaID, logs: &bridgetest.Output{}, done: make(chan struct{})}
	log, err := telemetry.NewLogger("debug", telemetry.FormatConsole, r.logs)
	if err != nil {
		b.t.Fatal(err)
	}
	d, err := bridge.New(c, bridge.Build{Version: "v1.2.3", Commit: "abcdef", GoVersion: "go1.26"}, log)
	if err != nil {
		b.t.Fatalf("make daemon: %v", err)
	}
	r.url = "http://" + d.Addr().String()
	life, stop := context.WithCancel(context.Background())
	patience, cut := context.WithCancel(context.Background())
	r.stop, r.cut = stop, cut
	go func() {
		defer close(r.done)
		r.err = d.Run(life, patience)
		_ = log.Sync()
	}()
	b.t.Cleanup(func() {
		r.stop()
		r.cut()
		<-r.done
		if b.t.Failed() {
			b.t.Logf("log of %s:\n%s", r.id, r.logs)
		}
	})
	return r
}

// run starts a daemon and waits until it is ready.
func (b *bundle) run(change ...func(*bridge.Config)) *replica {
	b.t.Helper()
	r := b.launch(change...)
	r.waitReady(http.StatusOK)
	return r
}

// drain asks the daemon to stop and waits for its end.
func (r *replica) drain() {
	r.b.t.Helper()
	r.stop()
	select {
	case <-r.done:
	case <-r.b.ctx.Done():
		r.b.t.Fatal("the daemon did not end")
	}
}

// kill ends the daemon with its sessions left where they are, as nearly as it
// can be done within one process.
func (r *replica) kill() {
	r.b.t.Helper()
	r.cut()
	r.drain()
}

// waitReady waits until /readyz answers with a status.
func (r *replica) waitReady(status int) {
	r.b.t.Helper()
	eventually(r.b.t, fmt.Sprintf("/readyz answers %d", status), func() bool {
		got, _ := r.get("/readyz")
		return got == status
	})
}

// get asks the daemon's HTTP server.
func (r *replica) get(path string) (status int, body string) {
	r.b.t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport, Timeout: patience}).Get(r.url + path)
	if err != nil {
		select {
		case <-r.done:
			r.b.t.Fatalf("GET %s: the daemon has ended: %v", path, r.err)
		default:
			r.b.t.Fatalf("GET %s: %v", path, err)
		}
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		r.b.t.Fatalf("GET %s: %v", path, err)
	}
	return resp.StatusCode, string(content)
}

// metric returns the value of one line of /metrics, "" when there is none.
func (r *replica) metric(line string) string {
	r.b.t.Helper()
	_, body := r.get("/metrics")
	for l := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(l, line+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// waitMetric waits until a line of /metrics has a value.
func (r *replica) waitMetric(line, want string) {
	r.b.t.Helper()
	var got string
	defer func() {
		if got != want {
			r.b.t.Errorf("%s = %q, want %q", line, got, want)
		}
	}()
	eventually(r.b.t, line+" is "+want, func() bool {
		got = r.metric(line)
		return got == want
	})
}

// eventually looks again and again: for what tells nobody when it happens.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !holds() {
		select {
		case <-look.C:
		case <-deadline.C:
			t.Fatalf("it did not happen in %s: %s", patience, what)
		}
	}
}

// serve runs an HTTP handler until the test ends and returns its URL.
func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	return newServer(t, h).URL
}

// reply is what a command was answered.
type reply struct {
	t      testing.TB
	body   []byte
	header nats.Header
}

// fields is a JSON object.
type fields map[string]any

// do sends a command and waits for the answer.
func (b *bundle) do(subject string, body any) reply {
	b.t.Helper()
	r, err := b.try(subject, body)
	if err != nil {
		b.t.Fatalf("%s: %v", subject, err)
	}
	return r
}

// try is do for commands that may stay without an answer, and for other goroutines.
func (b *bundle) try(subject string, body any) (reply, error) {
	var data []byte
	switch body := body.(type) {
	case string:
		data = []byte(body)
	default:
		var err error
		if data, err = json.Marshal(body); err != nil {
			return reply{}, err
		}
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	msg, err := b.nc.RequestWithContext(ctx, subject, data)
	if err != nil {
		return reply{}, err
	}
	return reply{b.t, msg.Data, msg.Header}, nil
}

// order is a start request of ten euros.
func order(id, terminal string, more ...fields) fields {
	body := fields{"order_id": id, "terminal_id": terminal, "amount": 1000, "currency": "EUR"}
	for _, f := range more {
		for name, value := range f {
			body[name] = value
		}
	}
	return body
}

// scenario has the simulator's customer do something; faults, as
// "drop_stream:after=1", make things go wrong on the way.
func scenario(name simulator.Scenario, faults ...string) fields {
	info := fields{"custom_1": "scenario:" + string(name)}
	if len(faults) > 0 {
		info["custom_2"] = "fault:" + strings.Join(faults, " fault:")
	}
	return fields{"custom_info": info}
}

// start starts a payment that must be answered with a StartReply.
func (b *bundle) start(body fields) schema.StartReply {
	b.t.Helper()
	return b.do(b.space.Command(subjects.Start), body).started()
}

// later sends a command and does not wait for the answer, which is empty if there is
// none.
func (b *bundle) later(subject string, body any) <-chan reply {
	answered := make(chan reply, 1)
	go func() {
		r, _ := b.try(subject, body)
		r.t = b.t
		answered <- r
	}()
	return answered
}

// connectBus opens a connection like a replica's own.
func (b *bundle) connectBus() *bus.Bus {
	b.t.Helper()
	connected := make(chan struct{}, 1)
	c, err := bus.Connect(bus.Options{
		URLs: b.natsURL, Name: b.t.Name(), Space: b.space, Replicas: 1, StatusMaxAge: 3 * time.Hour, ClaimTTL: 2 * time.Hour, ReplicaTTL: 2 * time.Second,
		Events: bus.ConnectionEvents{Connected: func(string) { connected <- struct{}{} }},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { c.Close(context.Background()) })
	<-connected
	return c
}

// some are all cases; beside the race detector, which takes ten times as long, every
// fourth.
func some[T any](cases []T) []T {
	if !testing.Short() {
		return cases
	}
	var few []T
	for i := 0; i < len(cases); i += 4 {
		few = append(few, cases[i])
	}
	return few
}

// waitConnected waits until the test's own connection is back.
func (b *bundle) waitConnected() {
	b.t.Helper()
	eventually(b.t, "the test is connected to NATS", func() bool { return b.nc.IsConnected() && b.nc.Flush() == nil })
}

// quiet is a logger that writes nothing.
func quiet() *zap.Logger { return zap.NewNop() }

// act does something at a terminal by hand.
func (b *bundle) act(terminal string, actions ...simulator.Action) {
	b.t.Helper()
	for _, action := range actions {
		if _, err := b.sim.Act(terminal, action); err != nil {
			b.t.Fatalf("%s on terminal %s: %v", action, terminal, err)
		}
	}
}

func (b *bundle) cancel(terminal, order string) reply {
	b.t.Helper()
	return b.do(b.space.Command(subjects.Cancel), fields{"terminal_id": terminal, "order_id": order})
}

func (b *bundle) getOrder(terminal, order string) schema.Session {
	b.t.Helper()
	return into[schema.Session](b.do(b.space.Command(subjects.Get), fields{"terminal_id": terminal, "order_id": order}), "session")
}

func (b *bundle) list() []schema.Session {
	b.t.Helper()
	return into[schema.ListReply](b.do(b.space.Command(subjects.List), fields{}), "list-reply").Sessions
}

// queued is how many sessions are in the queue; -1 while it cannot be asked.
func (b *bundle) queued() int {
	s, err := b.js.Stream(b.ctx, b.space.SessionStream())
	if err != nil {
		return -1
	}
	return int(s.CachedInfo().State.Msgs) //nolint:gosec // a handful
}

// waitFree waits until no session is active on a terminal: settled and unlocked.
func (b *bundle) waitFree(terminal string) {
	b.t.Helper()
	subject, err := b.space.Session(terminal)
	if err != nil {
		b.t.Fatal(err)
	}
	eventually(b.t, "terminal "+terminal+" is unlocked", func() bool {
		s, err := b.js.Stream(b.ctx, b.space.SessionStream())
		if err != nil {
			return false
		}
		_, err = s.GetLastMsgForSubject(b.ctx, subject)
		return err != nil && strings.Contains(err.Error(), "not found")
	})
}

func (r reply) started() schema.StartReply {
	r.t.Helper()
	return into[schema.StartReply](r, "start-reply")
}

// into reads an answer that must be no error, strictly and by its schema.
func into[T any](r reply, name string) (v T) {
	r.t.Helper()
	if code := r.header.Get(schema.HeaderErrorCode); code != "" {
		r.t.Fatalf("got error %s: %s", code, r.body)
	}
	fits(r.t, name, r.body)
	strictly(r.t, r.body, &v)
	return v
}

// failed reads an answer that must be an error, and holds its headers to it.
func (r reply) failed(want schema.Code) schema.Error {
	r.t.Helper()
	var e schema.ErrorReply
	fits(r.t, "error-reply", r.body)
	strictly(r.t, r.body, &e)
	if e.Error.Code != want {
		r.t.Fatalf("got error %s, want %s", e.Error.Code, want)
	}
	if got, want := r.header.Get("Nats-Service-Error-Code"), fmt.Sprint(want.Number()); got != want {
		r.t.Errorf("header Nats-Service-Error-Code is %q, want %q", got, want)
	}
	if got, want := r.header.Get("Nats-Service-Error"), e.Error.Message; got != want || got == "" {
		r.t.Errorf("header Nats-Service-Error is %q, want %q", got, want)
	}
	if e.Error.Retryable != want.Retryable() {
		r.t.Errorf("retryable is %v for %s", e.Error.Retryable, want)
	}
	return e.Error
}

func strictly(t testing.TB, data []byte, v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("read %s: %v", data, err)
	}
}

// ask asks NATS itself about the service.
func ask(b *bundle, subject string, v any) {
	b.t.Helper()
	r := b.do(subject, "")
	if err := json.Unmarshal(r.body, v); err != nil {
		b.t.Fatalf("%s: %v in %s", subject, err, r.body)
	}
}

// short makes every duration that a session waits for short.
func short(c *bridge.Config) {
	c.Timing.ReconcileInterval = 200 * time.Millisecond
	c.Timing.IdleTimeout = 400 * time.Millisecond
	c.Timing.StartDeadline = 600 * time.Millisecond
	c.Timing.RequestTimeout = 300 * time.Millisecond
}
