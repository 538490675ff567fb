package bridge_test

import (
	"strings"
	"testing"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// The commands of prefix pos.eu are also received by the bridge of prefix pos, for
// which they are those of a terminal "eu". It leaves them alone.
func TestNestedPrefixesAnswerTheirOwnCommands(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	longer, err := subjects.New("pos.eu")
	if err != nil {
		t.Fatal(err)
	}
	b.run(func(c *bridge.Config) { c.NATS.Space = longer })
	shorter := b.run()
	b.start(order("a", terminal1))
	const requests = 20
	for range requests {
		b.do("pos.eu.payment.get", fields{"terminal_id": terminal1, "order_id": "a"}).failed(schema.NotFound)
		b.do("pos.eu.payment.list", fields{})
	}
	reply := b.do("pos.eu.payment.start", order("b", terminal2)).started()
	if want := "pos.eu." + terminal2 + ".b.status"; reply.StatusSubject != want {
		t.Errorf("got %+v, want %s", reply, want)
	}
	heard, err := b.nc.SubscribeSync(reply.StatusSubject)
	if err == nil {
		err = b.nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	b.act(terminal2, simulator.ActApprove)
	if _, err := heard.NextMsg(patience); err != nil {
		t.Error(err)
	}
	b.await("a", "initialized")
	b.act(terminal1, simulator.ActApprove)
	b.await("a", "initialized", "completed")
	_, metrics := shorter.get("/metrics")
	for line := range strings.Lines(metrics) {
		answered := strings.HasPrefix(line, "pos_bridge_commands_total") && !strings.HasSuffix(line, " 0\n")
		if answered && line != "pos_bridge_commands_total{code=\"ok\",command=\"start\"} 1\n" {
			t.Errorf("it answered commands that are not its own: %s", line)
		}
	}
}
