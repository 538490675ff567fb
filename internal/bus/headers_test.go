package bus_test

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/posbridge/bridge/schema"
)

// Every header that a subscriber receives is in the AsyncAPI document, but for
// those by which the bridge asks the stream to store the message.
func TestHeadersAreDocumented(t *testing.T) {
	t.Parallel()
	var documented struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]any `yaml:"properties"`
			} `yaml:"schemas"`
		} `yaml:"components"`
	}
	if err := yaml.Unmarshal(schema.AsyncAPI(), &documented); err != nil {
		t.Fatal(err)
	}
	b := ready(t, "")
	received := must(b.nc.SubscribeSync("pos.T1.A.*"))(t)
	if err := b.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	s := status("A", "initialized", 1)
	s.EventID, s.Trace = "7", map[string]string{"traceparent": "00-1-2-01", "tracestate": "a=b"}
	first := must(b.AppendStatus(t.Context(), s, 0))(t)
	must(b.AppendInvalid(t.Context(), schema.InvalidEvent{TerminalID: "T1", OrderID: "A", Reason: "odd"}, first))(t)
	for _, part := range []string{"status-headers", "invalid-headers"} {
		known := documented.Components.Schemas[part].Properties
		header := must(received.NextMsg(patience))(t).Header
		for name := range header {
			if _, ok := known[name]; !ok && !strings.HasPrefix(name, "Nats-Expected-") {
				t.Errorf("%s: %s is not documented", part, name)
			}
		}
		for name := range known {
			if header.Get(name) == "" && len(header[name]) == 0 {
				t.Errorf("%s: %s is documented and not sent", part, name)
			}
		}
	}
}
