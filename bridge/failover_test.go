package bridge_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/internal/simulator"
)

// A replica that is alone and drains leaves its sessions to whoever comes next.
func TestRestart(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*replica){"drained": (*replica).drain, "killed": (*replica).kill} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, options{simulator: simulator.Options{Manual: true}})
			first := b.run()
			b.start(order("a", terminal1))
			b.await("a", "initialized")
			end(first)
			b.act(terminal1, simulator.ActDecline) // nobody hears it
			second := b.run()
			b.await("a", "initialized", "declined") // but it is still shown when asked
			if _, err := b.sim.WaitStream(b.ctx, "a"); err != nil {
				t.Fatal(err)
			}
			b.act(terminal1, simulator.ActApprove)
			b.wait(func() string { return "completed" }, func() bool { return last(b.eventsOf("a")) == "completed" })
			b.await("a", "initialized", "declined", "initialized", "completed")
			b.waitFree(terminal1)
			second.waitMetric("pos_bridge_sessions_active", "0")
			if n := b.sim.Calls("a").Create; n != 1 {
				t.Errorf("%d creates", n)
			}
		})
	}
}

// A start whose follower dies before it could answer is answered by the next.
func TestFollowerDiesBeforeItAnswers(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	var once sync.Once
	p := &provider{}
	p.create = func(w http.ResponseWriter, r *http.Request, order fields) {
		p.make(order)
		once.Do(func() { close(asked) })
		<-r.Context().Done() // the answer never leaves
	}
	b := setup(t, options{provider: p})
	first := b.run()
	answered := make(chan reply, 1)
	go func() {
		r, _ := b.try("pos.payment.start", order("a", terminal1))
		answered <- r
	}()
	<-asked
	first.kill()
	b.run()
	r := <-answered
	r.t = t
	if got := r.started(); !got.Created || got.SessionID != "" {
		t.Errorf("got %+v", got)
	}
	b.await("a", "initialized")
	p.become("completed")
	b.await("a", "initialized", "completed")
	if n := p.called("create"); n != 1 {
		t.Errorf("%d creates", n)
	}
}

// A replica that is cut off from NATS goes on reading while another takes its
// sessions over. When it is back it meets what the other published, and leaves.
func TestReplicaCutOffFromNATS(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	line := newLine(t, b.nats.Port())
	first := b.run(func(c *bridge.Config) { c.NATS.URL = redact.NewSecret("nats://" + line.addr) })
	b.start(order("a", terminal1))
	b.start(order("b", terminal2))
	b.await("a", "initialized")
	b.await("b", "initialized")
	second := b.run()
	line.cut()
	first.waitReady(http.StatusServiceUnavailable)
	b.act(terminal1, simulator.ActDecline)
	b.act(terminal2, simulator.ActDecline)
	b.await("a", "initialized", "declined")
	b.await("b", "initialized", "declined")
	second.waitMetric("pos_bridge_failovers_total", "2")
	b.act(terminal1, simulator.ActApprove)
	b.wait(func() string { return "completed" }, func() bool { return last(b.eventsOf("a")) == "completed" })
	line.mend()
	first.waitReady(http.StatusOK)
	first.waitMetric("pos_bridge_sessions_active", "0")
	second.waitMetric("pos_bridge_sessions_active", "1")
	b.act(terminal2, simulator.ActApprove)
	for _, id := range []string{"a", "b"} {
		b.wait(func() string { return "completed" }, func() bool { return last(b.eventsOf(id)) == "completed" })
		b.await(id, "initialized", "declined", "initialized", "completed")
	}
	b.waitFree(terminal1)
	b.waitFree(terminal2)
}

// A stored stream that the successor cannot open (the key was rotated) is
// replaced by asking.
func TestSuccessorWithAnotherKey(t *testing.T) {
	t.Parallel()
	p := &provider{}
	b := setup(t, options{provider: p})
	first := b.run()
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	eventually(t, "the stream is open", func() bool { return p.called("stream") == 1 })
	first.kill()
	b.run(func(c *bridge.Config) { c.Provider.Key = redact.NewSecret("another-key") })
	p.become("completed")
	b.await("a", "initialized", "completed")
	if n := p.called("stream"); n != 1 {
		t.Errorf("%d streams, want none by the successor", n)
	}
}

// With the same key the successor opens the same stream.
func TestSuccessorOpensTheStream(t *testing.T) {
	t.Parallel()
	p := &provider{}
	b := setup(t, options{provider: p})
	first := b.run()
	b.start(order("a", terminal1))
	b.await("a", "initialized")
	eventually(t, "the stream is open", func() bool { return p.called("stream") == 1 })
	first.kill()
	second := b.run()
	eventually(t, "the stream is open again", func() bool { return p.called("stream") == 2 })
	second.waitMetric("pos_bridge_failovers_total", "1")
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.authorizations[1] != "token-of-a" {
		t.Errorf("got %q", p.authorizations)
	}
}

// line is a connection to NATS that can be cut.
type line struct {
	addr string

	mu     sync.Mutex
	broken bool
	conns  map[net.Conn]bool
}

// newLine listens on a port of its own and passes everything on.
func newLine(t *testing.T, port int) *line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{addr: listener.Addr().String(), conns: map[net.Conn]bool{}}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil || !l.keep(in, out) {
				in.Close()
				if err == nil {
					out.Close()
				}
				continue
			}
			for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
				work.Go(func() {
					_, _ = io.Copy(pair[0], pair[1])
					pair[0].Close()
					pair[1].Close()
				})
			}
		}
	})
	t.Cleanup(func() {
		listener.Close()
		l.cut()
		work.Wait()
	})
	return l
}

func (l *line) keep(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken {
		return false
	}
	for _, c := range conns {
		l.conns[c] = true
	}
	return true
}

// cut breaks every connection and lets none through.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = true
	for c := range l.conns {
		c.Close()
	}
	clear(l.conns)
}

// mend lets connections through again.
func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = false
}

// A drained replica hands its sessions over at once; nothing is lost or doubled.
func TestDrainHandsSessionsOver(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	first := b.run(func(c *bridge.Config) { c.Timing.ReplicaTTL = time.Minute })
	for i := range 4 {
		b.start(order(fmt.Sprintf("o-%d", i), fmt.Sprintf("SIM0000%d", i+1)))
		b.await(fmt.Sprintf("o-%d", i), "initialized")
	}
	second := b.run(func(c *bridge.Config) { c.Timing.ReplicaTTL = time.Minute })
	began := time.Now()
	first.drain()
	if first.err != nil {
		t.Errorf("Run returned %v", first.err)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("the drain took %s", took)
	}
	second.waitMetric("pos_bridge_sessions_active", "4")
	second.waitMetric("pos_bridge_failovers_total", "0") // handed over, not lost
	for i := range 4 {
		if got := b.getOrder(fmt.Sprintf("SIM0000%d", i+1), fmt.Sprintf("o-%d", i)); got.Replica != second.id || !got.Active {
			t.Errorf("got %+v, want it followed by %s", got, second.id)
		}
		b.act(fmt.Sprintf("SIM0000%d", i+1), simulator.ActDecline, simulator.ActApprove)
	}
	for i := range 4 {
		id := fmt.Sprintf("o-%d", i)
		b.wait(func() string { return "completed" }, func() bool { return last(b.eventsOf(id)) == "completed" })
		b.await(id, "initialized", "declined", "initialized", "completed")
		b.waitFree(fmt.Sprintf("SIM0000%d", i+1))
	}
}

// A replica is cut off from NATS while its create is on its way; another one takes
// the session over and finds nothing at the provider. The order that the first one
// then learns of is kept, and followed: nobody said that it does not exist.
func TestOrderMadeAfterATakeover(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}), make(chan struct{})
	p := &provider{}
	p.create = func(w http.ResponseWriter, r *http.Request, order fields) {
		close(asked)
		<-release
		p.make(order)
		created(w, r, order)
	}
	b := setup(t, options{provider: p})
	line := newLine(t, b.nats.Port())
	late := func(c *bridge.Config) {
		c.Timing.StartDeadline, c.Timing.RequestTimeout = 500*time.Millisecond, patience
		c.Timing.ReconcileInterval = 200 * time.Millisecond
	}
	first := b.run(late, func(c *bridge.Config) { c.NATS.URL = redact.NewSecret("nats://" + line.addr) })
	go func() { _, _ = b.try("pos.payment.start", order("a", terminal1)) }() // the answer is lost with the connection
	<-asked
	line.cut()
	first.waitReady(http.StatusServiceUnavailable)
	second := b.run(late)
	second.waitMetric("pos_bridge_failovers_total", "1")
	eventually(t, "the second asks", func() bool { return p.called("get") > 0 })
	line.mend()
	first.waitReady(http.StatusOK)
	close(release)
	b.await("a", "initialized")
	p.become("completed")
	b.await("a", "initialized", "completed")
	b.waitFree(terminal1)
	if n := p.called("create"); n != 1 {
		t.Errorf("%d creates", n)
	}
	if n := p.called("cancel"); n != 0 {
		t.Errorf("%d cancels", n)
	}
}
