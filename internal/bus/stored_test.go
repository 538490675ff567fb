package bus_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// storedKind is one kind of message that the bridge stores.
type storedKind struct {
	// stream and subject are where it is stored, journal is where it is published.
	stream, subject, journal string
	// want has a value in every field; what is set on reading is the test's.
	want any
	// write stores want, read reads what is stored.
	write func(t *testing.T, b *bundle)
	read  func(t *testing.T, b *bundle) any
}

// storedKinds are all of them, by the names of their golden files. An order's log
// has the kinds of package subjects.
func storedKinds() map[string]storedKind {
	at := time.Date(2026, 11, 23, 12, 0, 0, 5, time.UTC)
	request := schema.StartRequest{
		OrderID: "A/1", TerminalID: "T1", Amount: 1250, Currency: "EUR", Description: "Lunch",
		Customer:        &schema.Customer{Locale: "nl_NL", Email: "a@example.org", Phone: "1", FirstName: "A", LastName: "B"},
		NotificationURL: "https://example.org/n", CustomInfo: &schema.CustomInfo{Custom1: "1", Custom2: "2", Custom3: "3"},
	}
	trace := map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	session := payment.Session{
		Request: request, Hash: "h", Nonce: "n", Group: "g", Reply: "_INBOX.r", Trace: trace,
		Deadline: at.Add(30 * time.Second), StartedAt: at,
	}
	claim := payment.Claim{
		Replica: "a", Owner: "ID", Epoch: 2, Phase: payment.ClaimClosed, Session: session, SessionID: "s", Sealed: []byte("sealed"),
		Handle: "$JS.ACK.POS_SESSIONS.bridge.1.42.7.1.3", QueueSeq: 42, UpdatedAt: at,
		Answer: &schema.Error{
			Code: schema.ProviderRejected, Message: "no", Retryable: true,
			Provider: &schema.ProviderAnswer{HTTPStatus: 422, ErrorCode: 1001, ErrorInfo: "Incorrect"},
		},
		Ended: []string{"earlier"},
	}
	status := payment.Status{
		Event: schema.StatusEvent{
			OrderID: "A/1", TerminalID: "T1", SessionID: "s", TransactionID: "t", Status: "completed", FinancialStatus: "completed",
			PreviousStatus: "initialized", Final: true, Sequence: 2, Source: schema.SourceStream, Amount: 1250, AmountCharged: 1300,
			Reason: "because", Currency: "EUR", ObservedAt: at,
		},
		Hash: "h", Group: "g", Replica: "a", Epoch: 2, StartedAt: at, EventID: "e", Trace: trace,
	}
	invalid := schema.InvalidEvent{
		OrderID: "A/1", TerminalID: "T1", SessionID: "s", Reason: "no JSON", Event: "session.order", Data: "{", ObservedAt: at,
	}
	log := func(t *testing.T, b *bundle) payment.Log { return must(b.ReadLog(t.Context(), "T1", "A/1", true))(t) }
	of := func(kind subjects.Kind) (stream, subject, journal string) {
		return "POS_STATUS", "pos.T1.A%2F1." + string(kind), "pos.T1.A%2F1.journal." + string(kind)
	}
	kinds := map[string]storedKind{
		"session": {
			stream: "POS_SESSIONS", subject: "pos.T1.session", journal: "pos.T1.session", want: session,
			write: func(t *testing.T, b *bundle) { must(b.Enqueue(t.Context(), session))(t) },
			read:  func(t *testing.T, b *bundle) any { return must(b.Queued(t.Context(), "T1"))(t).Session },
		},
		string(subjects.Claim): {
			want: claim, write: func(t *testing.T, b *bundle) { must(b.AppendClaim(t.Context(), "T1", "A/1", claim, 0))(t) },
			read: func(t *testing.T, b *bundle) any { return *log(t, b).Claim },
		},
		string(subjects.Status): {
			want: status, write: func(t *testing.T, b *bundle) { must(b.AppendStatus(t.Context(), status, 0))(t) },
			read: func(t *testing.T, b *bundle) any {
				s := log(t, b).Statuses[0]
				s.Seq, s.At, s.Trace = 0, time.Time{}, trace // the trace is for readers outside
				return s
			},
		},
		string(subjects.Invalid): { // only people read it
			want: invalid, write: func(t *testing.T, b *bundle) { must(b.AppendInvalid(t.Context(), invalid, 0))(t) },
			read: func(t *testing.T, b *bundle) (got any) {
				var e schema.InvalidEvent
				m := must(must(b.js.Stream(t.Context(), "POS_STATUS"))(t).GetLastMsgForSubject(t.Context(), "pos.T1.A%2F1.invalid"))(t)
				if err := json.Unmarshal(m.Data, &e); err != nil {
					t.Error(err)
				}
				return e
			},
		},
	}
	for name, k := range kinds {
		if k.stream == "" {
			k.stream, k.subject, k.journal = of(subjects.Kind(name))
			kinds[name] = k
		}
	}
	return kinds
}

// The golden files are what a release has stored, one for each kind and version. They
// never change. A change of a form, and a field that is added, counts bus.Version up;
// GOLDEN=new go test writes the files of a new version.
func TestWhatIsStoredKeepsItsForm(t *testing.T) {
	t.Parallel()
	for name, kind := range storedKinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, path := range empty(reflect.ValueOf(kind.want), name) {
				t.Errorf("%s has no value: the golden file does not have it", path)
			}
			b := ready(t, "")
			kind.write(t, b)
			m := must(must(b.js.Stream(t.Context(), kind.stream))(t).GetLastMsgForSubject(t.Context(), kind.subject))(t)
			compareGolden(t, fmt.Sprintf("%s.v%d", name, bus.Version), m.Header, m.Data)
			if got := kind.read(t, b); !reflect.DeepEqual(got, kind.want) {
				t.Errorf("got  %+v\nwant %+v", got, kind.want)
			}
		})
	}
}

// unversioned is a status from before version 1.
const unversioned = "status.unversioned"

// This release reads what every release before it has stored.
func TestWhatWasStoredIsRead(t *testing.T) {
	t.Parallel()
	files := must(filepath.Glob("testdata/*"))(t)
	kinds := storedKinds()
	if least := len(kinds)*bus.Version + 1; len(files) < least {
		t.Errorf("got %d golden files, want %d: one for each kind and version", len(files), least)
	}
	for _, path := range files {
		file := filepath.Base(path)
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			name, _, _ := strings.Cut(file, ".")
			kind := kinds[name]
			b := ready(t, "")
			publishGolden(t, b, path, kind.journal)
			got, want := asJSON(t, kind.read(t, b)), asJSON(t, kind.want)
			if file == unversioned {
				event := want["Event"].(map[string]any)
				delete(event, "amount_charged")
				delete(event, "reason")
			}
			for key, value := range want {
				if _, had := got[key]; had && key != "v" && !reflect.DeepEqual(got[key], value) {
					t.Errorf("%s: got %v, want %v", key, got[key], value)
				}
			}
			if len(got) < len(want)/2 {
				t.Errorf("got %v", got)
			}
		})
	}
}

// The release after this one may be taken back: what it stores is read. What a later
// one stores is left alone, and never half understood.
func TestWhatLaterReleasesStore(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		version int
		want    error
	}{{bus.Version + 1, nil}, {bus.Version + 2, bus.ErrNewer}} {
		b := ready(t, "")
		header := must(os.ReadFile("testdata/status.v1"))(t)
		text := strings.Replace(string(header), "Bridge-Version: 1", fmt.Sprintf("Bridge-Version: %d", tt.version), 1)
		text = strings.Replace(text, `{"order_id"`, `{"field of later":1,"order_id"`, 1)
		path := filepath.Join(t.TempDir(), "status.later")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		publishGolden(t, b, path, "pos.T1.A%2F1.journal.status")
		log, err := b.ReadLog(t.Context(), "T1", "A/1", true)
		if !errors.Is(err, tt.want) || tt.want == nil && len(log.Statuses) != 1 {
			t.Errorf("version %d: got %+v, %v, want %v", tt.version, log, err, tt.want)
		}
	}
}

// empty lists the fields that have no value; what is only set on reading has none.
func empty(v reflect.Value, path string) (paths []string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return empty(v.Elem(), path)
		}
	case reflect.Struct:
		if _, isTime := v.Interface().(time.Time); isTime {
			break
		}
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; path != "status" || name != "Seq" && name != "At" {
				paths = append(paths, empty(v.Field(i), path+"."+name)...)
			}
		}
		return paths
	}
	if v.IsZero() {
		return []string{path}
	}
	return nil
}

func asJSON(t *testing.T, v any) (fields map[string]any) {
	t.Helper()
	if err := json.Unmarshal(must(json.Marshal(v))(t), &fields); err != nil {
		t.Fatal(err)
	}
	return fields
}

// publishGolden publishes what a golden file has, as its release did.
func publishGolden(t *testing.T, b *bundle, path, subject string) {
	t.Helper()
	head, body, _ := strings.Cut("\n"+string(must(os.ReadFile(path))(t)), "\n\n")
	msg := nats.NewMsg(subject)
	for line := range strings.Lines(head) {
		if key, value, found := strings.Cut(strings.TrimSpace(line), ": "); found {
			msg.Header[key] = []string{value}
		}
	}
	msg.Data = []byte(strings.TrimSpace(body))
	must(b.js.PublishMsg(t.Context(), msg))(t)
}

// compareGolden compares a message with a file: sorted headers without those of the
// server, an empty line, the body.
func compareGolden(t *testing.T, name string, header nats.Header, body []byte) {
	t.Helper()
	var lines []string
	for key, values := range header {
		if !strings.HasPrefix(key, "Nats-") || key == "Nats-Msg-Id" {
			lines = append(lines, key+": "+values[0])
		}
	}
	sort.Strings(lines)
	got := strings.Join(append(lines, "", string(body), ""), "\n")
	path := filepath.Join("testdata", name)
	if os.Getenv("GOLDEN") == "new" {
		if _, err := os.Stat(path); err == nil {
			t.Fatalf("%s exists: a stored form never changes", path)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil { //nolint:gosec // not secret
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	gotHeader, gotBody, _ := strings.Cut(got, "\n{")
	wantHeader, wantBody, _ := strings.Cut(string(want), "\n{")
	// The order of the fields is no part of the form.
	if gotHeader != wantHeader || !reflect.DeepEqual(asJSON(t, json.RawMessage("{"+gotBody)), asJSON(t, json.RawMessage("{"+wantBody))) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}
