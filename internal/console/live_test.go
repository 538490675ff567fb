package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/browsertest"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/simulator/simulatortest"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// system is a NATS server, a simulated provider, and replicas of the bridge.
type system struct {
	t    *testing.T
	nats string
	nc   *nats.Conn
	sim  *simulatortest.Server
}

func newSystem(t *testing.T) *system {
	server := natstest.Run(t)
	return &system{t: t, nats: server.URL(), nc: natstest.Connect(t, server.URL()), sim: simulatortest.Start(t, simulator.Options{Manual: true})}
}

// replica starts a bridge; kill ends it with its sessions left where they are.
func (s *system) replica(id string) (url string, kill func()) {
	s.t.Helper()
	c, err := bridge.Defaults("demo-key")
	if err != nil {
		s.t.Fatal(err)
	}
	c.ReplicaID, c.NATS.URL, c.Provider.URL, c.HTTP.Addr = id, redact.NewSecret(s.nats), s.sim.APIURL, "127.0.0.1:0"
	c.Timing.ReplicaTTL, c.Timing.DrainTimeout = time.Second, 5*time.Second
	d, err := bridge.New(c, bridge.Build{Version: "v1.2.3"}, zap.NewNop())
	if err != nil {
		s.t.Fatal(err)
	}
	life, stop := context.WithCancel(context.Background())
	cut, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := d.Run(life, cut); err != nil {
			s.t.Errorf("run %s: %v", id, err)
		}
	})
	kill = sync.OnceFunc(func() {
		cancel()
		stop()
		running.Wait()
	})
	s.t.Cleanup(kill)
	return "http://" + d.Addr().String(), kill
}

// pay starts a payment, as soon as somebody takes commands.
func (s *system) pay(terminal, order string) {
	s.t.Helper()
	request, err := json.Marshal(schema.StartRequest{OrderID: order, TerminalID: terminal, Amount: 18900, Currency: "EUR"})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for {
		answer, err := s.nc.RequestWithContext(ctx, subjects.Default().Command(subjects.Start), request)
		if err == nil && answer.Header.Get(schema.HeaderErrorCode) == "" {
			return
		}
		select {
		case <-ctx.Done():
			s.t.Fatalf("start %s: %v", order, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *system) act(terminal string, actions ...simulator.Action) {
	s.t.Helper()
	for _, action := range actions {
		if _, err := s.sim.Act(terminal, action); err != nil {
			s.t.Fatalf("%s on terminal %s: %v", action, terminal, err)
		}
	}
}

// A payment through the real bridge is seen as it happens: a soft decline, its
// course on a click, the replica killed in the middle, and the end.
func TestLivePaymentAndTakeover(t *testing.T) {
	t.Parallel()
	browsertest.Find(t, "the console shows a payment live, and a takeover")
	const terminal, order = "SIM00001", "2026/till-7.1"
	s := newSystem(t)
	_, kill := s.replica("bridge-a")
	s.pay("SIM00002", "warm-up") // followed by bridge-a, which is alone
	s.pay(terminal, order)
	url, _ := s.replica("bridge-b")
	p := live(t, url, desk)
	p.Reads("#count-sessions", "2")
	row := fmt.Sprintf("tr[data-key=%q]", terminal)
	p.Reads(row+" .c-order", order)
	p.Reads(row+" .c-amount", "€189.00")
	s.act(terminal, simulator.ActTap)
	p.Reads(row+" .chip", "initialized")
	p.Click(row)
	p.Reads("#course-title", order)
	s.act(terminal, simulator.ActDecline)
	p.Reads(row+" .chip", "declined")
	p.Until(`[...document.querySelectorAll(".step.status .chip")].map(c => c.textContent).join() === "initialized,declined"`)

	kill()
	p.Reads(row+" .c-replica", "bridge-b")
	p.Reads(`tr[data-key="SIM00002"] .c-replica`, "bridge-b")
	p.Until(`document.querySelector(".step.takeover .what")?.textContent.startsWith("Taken o")`)
	s.act(terminal, simulator.ActInsert, simulator.ActPIN, simulator.ActApprove)
	p.Until(`[...document.querySelectorAll(".step.status .chip")].map(c => c.textContent).join() === "initialized,declined,initialized,completed"`)
	p.Until(`!document.querySelector('table.sessions ` + row + `:not(.over)')`)
	p.Picture("console-live")
	p.Click("#tab-payments")
	p.Reads(".scroller.current tbody tr .c-order", order)
	p.Reads(".scroller.current tbody tr .chip", "completed")
	p.Click("#tab-terminals")
	p.Reads(".scroller.current "+row+" .c-state", "free")
	p.Reads(`.scroller.current tr[data-key="SIM00002"] .c-state`, "busy")
	p.Quiet()
}
