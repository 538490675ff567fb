package schema

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/posbridge/bridge/subjects"
)

// document is as much of AsyncAPI as the tests look at.
type document struct {
	Channels   map[string]channel   `json:"channels"`
	Operations map[string]operation `json:"operations"`
	Components struct {
		Parameters map[string]any     `json:"parameters"`
		Replies    map[string]reply   `json:"replies"`
		Messages   map[string]message `json:"messages"`
		Schemas    map[string]object  `json:"schemas"`
	} `json:"components"`
}

type reference struct {
	Ref string `json:"$ref"`
}

type channel struct {
	Address    *string              `json:"address"`
	Parameters map[string]reference `json:"parameters"`
	Messages   map[string]reference `json:"messages"`
}

type operation struct {
	Action   string      `json:"action"`
	Channel  reference   `json:"channel"`
	Messages []reference `json:"messages"`
	Reply    reference   `json:"reply"`
}

type reply struct {
	Channel  reference   `json:"channel"`
	Messages []reference `json:"messages"`
}

type message struct {
	Name    string    `json:"name"`
	Headers reference `json:"headers"`
	Payload struct {
		Format string    `json:"schemaFormat"`
		Schema reference `json:"schema"`
	} `json:"payload"`
	Examples []struct {
		Payload json.RawMessage `json:"payload"`
	} `json:"examples"`
}

func readAsyncAPI(t *testing.T) (document, any) {
	t.Helper()
	var api any
	if err := yaml.Unmarshal(AsyncAPI(), &api); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(api)
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	raw, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return d, raw
}

func TestAsyncAPIIsValid(t *testing.T) {
	t.Parallel()
	meta, err := jsonschema.UnmarshalJSON(bytes.NewReader(readFile(t, "testdata/asyncapi/3.0.0.json")))
	if err != nil {
		t.Fatal(err)
	}
	const id = "http://asyncapi.com/definitions/3.0.0/asyncapi.json"
	c := jsonschema.NewCompiler()
	if err := c.AddResource(id, meta); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(id)
	if err != nil {
		t.Fatal(err)
	}
	_, raw := readAsyncAPI(t)
	if err := s.Validate(raw); err != nil {
		t.Errorf("%v", err)
	}
	// The meta schema does refuse what is wrong.
	raw.(map[string]any)["chanels"] = map[string]any{}
	if s.Validate(raw) == nil {
		t.Error("a misspelt key is accepted")
	}
}

// Every reference inside the document, and to a schema's file, leads somewhere.
func TestAsyncAPIReferences(t *testing.T) {
	t.Parallel()
	_, raw := readAsyncAPI(t)
	var seen int
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for key, e := range v {
				ref, ok := e.(string)
				if key != "$ref" || !ok {
					walk(e)
					continue
				}
				seen++
				if pointer, inside := strings.CutPrefix(ref, "#/"); !inside {
					if !slices.Contains(Names(), strings.TrimSuffix(ref, ".json")) {
						t.Errorf("%s: no such file", ref)
					}
				} else if !leads(raw, pointer) {
					t.Errorf("%s leads nowhere", ref)
				}
			}
		}
	}
	walk(raw)
	if seen < 50 {
		t.Errorf("saw only %d references", seen)
	}
}

func leads(document any, pointer string) bool {
	for name := range strings.SplitSeq(pointer, "/") {
		object, ok := document.(map[string]any)
		if !ok {
			return false
		}
		if document, ok = object[name]; !ok {
			return false
		}
	}
	return true
}

func TestAsyncAPIChannelsAreTheSubjects(t *testing.T) {
	t.Parallel()
	d, _ := readAsyncAPI(t)
	s := subjects.Default()
	// Ids that stand for the parameters, and are written as they are.
	const terminal, order = "terminal", "order"
	subject := func(of string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		of = strings.Replace(of, ".terminal.", ".{terminal}.", 1)
		return strings.Replace(of, ".order.", ".{order}.", 1)
	}
	want := map[string]string{
		"start":            s.Command(subjects.Start),
		"cancel":           s.Command(subjects.Cancel),
		"get":              s.Command(subjects.Get),
		"list":             s.Command(subjects.List),
		"receipt":          s.Command(subjects.Receipt),
		"terminal-start":   subject(s.TerminalCommand(terminal, subjects.Start)),
		"terminal-cancel":  subject(s.TerminalCommand(terminal, subjects.Cancel)),
		"terminal-get":     subject(s.TerminalCommand(terminal, subjects.Get)),
		"terminal-receipt": subject(s.TerminalCommand(terminal, subjects.Receipt)),
		"status":           subject(s.Of(terminal, order, subjects.Status)),
		"invalid":          subject(s.Of(terminal, order, subjects.Invalid)),
	}
	got := map[string]string{}
	for name, c := range d.Channels {
		if c.Address == nil {
			continue // a requester's inbox
		}
		got[name] = *c.Address
		var parameters []string
		for name := range c.Parameters {
			if strings.Contains(*c.Address, "{"+name+"}") {
				parameters = append(parameters, name)
			}
		}
		if want := strings.Count(*c.Address, "{"); len(parameters) != want || len(c.Parameters) != want {
			t.Errorf("%s: parameters %v do not fit %s", name, c.Parameters, *c.Address)
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// last is the last element of a reference.
func last(r reference) string { return r.Ref[strings.LastIndex(r.Ref, "/")+1:] }

func TestAsyncAPIOperations(t *testing.T) {
	t.Parallel()
	d, _ := readAsyncAPI(t)
	// What goes in and what comes back: the names of the messages.
	want := map[string]string{
		"start":            "receive start-request -> start-reply error-reply",
		"terminal-start":   "receive start-request -> start-reply error-reply",
		"cancel":           "receive cancel-request -> cancel-reply error-reply",
		"terminal-cancel":  "receive cancel-request -> cancel-reply error-reply",
		"get":              "receive get-request -> session error-reply",
		"terminal-get":     "receive get-request -> session error-reply",
		"list":             "receive list-request -> list-reply error-reply",
		"receipt":          "receive receipt-request -> receipt-reply error-reply",
		"terminal-receipt": "receive receipt-request -> receipt-reply error-reply",
		"status":           "send status-event ->",
		"invalid":          "send invalid-event ->",
	}
	got := map[string]string{}
	for name, o := range d.Operations {
		if got, want := last(o.Channel), name; got != want {
			t.Errorf("%s: channel %s", name, got)
		}
		line := []string{o.Action}
		for _, m := range o.Messages {
			line = append(line, last(m))
		}
		line = append(line, "->")
		if o.Reply.Ref != "" {
			for _, m := range d.Components.Replies[last(o.Reply)].Messages {
				line = append(line, last(m))
			}
		}
		got[name] = strings.Join(line, " ")
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAsyncAPIMessagesAreTheSchemas(t *testing.T) {
	t.Parallel()
	d, _ := readAsyncAPI(t)
	used := map[string]bool{}
	for key, m := range d.Components.Messages {
		used[m.Name] = true
		if want := "application/schema+json;version=2020-12"; m.Payload.Format != want {
			t.Errorf("%s: format %s, want %s", key, m.Payload.Format, want)
		}
		want := m.Name + ".json"
		if key != m.Name {
			want = "#/components/schemas/" + key // the same with its terminal
			if part := d.Components.Schemas[key]; !slices.Equal(part.Required, []string{"terminal_id"}) {
				t.Errorf("%s: got %v required", key, part.Required)
			}
		}
		if got := m.Payload.Schema.Ref; got != want {
			t.Errorf("%s: payload %s, want %s", key, got, want)
		}
		for _, example := range m.Examples {
			if err := validate(compile(t, m.Name), example.Payload); err != nil {
				t.Errorf("%s: example: %v", key, err)
			}
		}
	}
	if got := slices.Sorted(maps.Keys(used)); !slices.Equal(got, Names()) {
		t.Errorf("messages: got %v, want %v", got, Names())
	}
}

func TestAsyncAPIHeaders(t *testing.T) {
	t.Parallel()
	d, _ := readAsyncAPI(t)
	headers := func(name string) object { return d.Components.Schemas[last(d.Components.Messages[name].Headers)] }

	status := headers("status-event")
	want := []string{
		"Bridge-Epoch?", "Bridge-Event-Id?", "Bridge-Group?", "Bridge-Replica?", "Bridge-Request-Hash?", "Bridge-Started-At?", "Bridge-Version?",
		"Nats-Last-Sequence?", "Nats-Msg-Id", "Nats-Sequence?", "Nats-Stream?", "Nats-Subject?", "Nats-Time-Stamp?",
		"ce-id", "ce-source", "ce-specversion", "ce-subject", "ce-time", "ce-type", "content-type", "traceparent?", "tracestate?",
	}
	if got := status.fields(); !slices.Equal(got, want) {
		t.Errorf("status event: got %v, want %v", got, want)
	}
	want = []string{"Bridge-Version?", "Nats-Last-Sequence?", "Nats-Sequence?", "Nats-Stream?", "Nats-Subject?", "Nats-Time-Stamp?", "content-type"}
	if got := headers("invalid-event").fields(); !slices.Equal(got, want) {
		t.Errorf("invalid event: got %v, want %v", got, want)
	}
	failure := headers("error-reply")
	if got, want := failure.fields(), []string{HeaderError, HeaderErrorCode}; !slices.Equal(got, want) {
		t.Errorf("error reply: got %v, want %v", got, want)
	}
	var numbers []string
	for _, code := range Codes() {
		numbers = append(numbers, strconv.Itoa(code.Number()))
	}
	slices.Sort(numbers)
	if got, want := failure.Properties[HeaderErrorCode].Enum, slices.Compact(numbers); !slices.Equal(got, want) {
		t.Errorf("numbers of errors: got %v, want %v", got, want)
	}
	for _, m := range []string{"start-request", "cancel-request", "get-request", "receipt-request", "list-request"} {
		if got, want := headers(m).fields(), []string{"traceparent?", "tracestate?"}; !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", m, got, want)
		}
	}
	if got := status.Properties["ce-type"].Const; got != CloudEventType {
		t.Errorf("ce-type: got %v, want %s", got, CloudEventType)
	}
}
