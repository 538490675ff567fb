package multisafepay

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/redact"
)

// followAll reads a whole stream about order A1 and writes down what it says.
func followAll(t *testing.T, handle http.HandlerFunc, lastID string) (said []string, err error) {
	t.Helper()
	client, server := setup(t, handle)
	err = client.Follow(t.Context(), Stream{URL: server.URL, Token: redact.NewSecret(testToken)}, lastID, StreamHandler{
		OrderID: "A1",
		Event: func(e StreamEvent) {
			what := "?"
			switch {
			case e.Order != nil:
				what = e.Order.Status
			case e.Invalid != nil:
				what = "invalid"
			case e.Foreign != "":
				what = "of " + e.Foreign
			case e.Other != "":
				what = "other " + e.Other
			}
			said = append(said, fmt.Sprintf("%s#%s %s", e.Type, e.ID, what))
			if e.Ask {
				said = append(said, "ask")
			}
		},
		Unsettled: func() { said = append(said, "ask") },
		Retry:     func(wait time.Duration) { said = append(said, "retry "+wait.String()) },
	})
	return said, err
}

// TestAnyEventAboutTheOrder: the name of an event does not matter, its data
// does; what is about no order is counted by type, and what names the order
// without being understood is a reason to ask.
func TestAnyEventAboutTheOrder(t *testing.T) {
	t.Parallel()
	const ours, others = `{"order_id":"A1","status":"x"}`, `{"order_id":"B2","status":"x"}`
	tests := map[string]struct {
		stream string
		want   []string
	}{
		"documented name":           {"event: session.order\ndata: " + ours + "\n\n", []string{"session.order# x"}},
		"no name":                   {"data: " + ours + "\n\n", []string{"message# x"}},
		"another name":              {"event: order.updated\ndata: " + ours + "\n\n", []string{"order.updated# x"}},
		"name within":               {`data: {"type":"order.updated","data":` + ours + "}\n\n", []string{"order.updated# x"}},
		"channel":                   {`data: {"type":"order.updated","channel":"c","payload":` + ours + "}\n\n", []string{"order.updated# x"}},
		"list":                      {"data: [" + ours + "," + others + "," + ours + "]\n\n", []string{"message# x", "message# of B2", "message# x"}},
		"another order":             {"event: session.order\ndata: " + others + "\n\n", []string{"session.order# of B2"}},
		"another order, not valid":  {"event: session.order\ndata: {\"order_id\":\"B2\",\"status\":7}\n\n", []string{"session.order# of B2"}},
		"other letters":             {"event: session.order\ndata: {\"order_id\":\"a1\",\"status\":\"x\"}\n\n", []string{"session.order# invalid"}},
		"heartbeat":                 {"event: ping\ndata: ping\n\nevent: ping\ndata: {\"time\":1}\n\n", []string{"ping# other ping", "ping# other ping"}},
		"type nobody knows":         {"event: weather\ndata: rain\n\n", []string{"weather# other other"}},
		"type that is no name":      {"event: " + testToken + "\ndata: rain\n\n", []string{"other# other other"}},
		"of the order, no status":   {"event: session.qr\ndata: {\"order_id\":\"A1\",\"qr\":\"y\"}\n\n", []string{"session.qr# other session.qr", "ask"}},
		"of the order, half":        {"event: order.updated\ndata: {\"order_id\":\"A1\",\n\n", []string{"order.updated# invalid"}},
		"of the order, odd status":  {"event: order.updated\ndata: {\"order_id\":\"A1\",\"status\":7}\n\n", []string{"order.updated# invalid"}},
		"rubbish, documented name":  {"event: session.order\ndata: rubbish\n\n", []string{"session.order# invalid"}},
		"envelope, documented name": {"event: session.order\ndata: {\"type\":\"a\",\"data\":[]}\n\n", []string{"session.order# invalid"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := followAll(t, eventStream(test.stream), "")
			if !errors.Is(err, ErrStreamEnded) || !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q (%v)", got, test.want, err)
			}
		})
	}
}

// TestEventIDs: an event has its own id and no other's; of several things that
// it says, the last one has it.
func TestEventIDs(t *testing.T) {
	t.Parallel()
	const a = `{"order_id":"A1","status":"x"}`
	stream := "data: " + a + "\n\nid: 1\ndata: " + a + "\n\ndata: " + a + "\n\nid: 2\ndata: [" + a + "," + a + "]\n\n" +
		"id: \x07\ndata: " + a + "\n\nid: " + testToken + "\ndata: " + a + "\n\nid: " + strings.Repeat("i", maxEventID+1) + "\ndata: " + a + "\n\nid: 3 b\ndata: " + a + "\n\n"
	want := []string{"message# x", "message#1 x", "message# x", "message# x", "message#2 x", "message# x", "message# x", "message# x", "message#3 b x"}
	got, _ := followAll(t, eventStream(stream), "")
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLastEventID(t *testing.T) {
	t.Parallel()
	for id, want := range map[string][]string{"": nil, "7 b": {"7 b"}, "a\nb": nil, "ä": nil} {
		_, _ = followAll(t, func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header["Last-Event-Id"]; !reflect.DeepEqual(got, want) {
				t.Errorf("Last-Event-ID = %q, want %q", got, want)
			}
			eventStream("")(w, r)
		}, id)
	}
}

func TestRetryAdvice(t *testing.T) {
	t.Parallel()
	for stream, want := range map[string][]string{
		"retry: 1500\n":                  {"retry 1.5s"},
		"retry:0\r\n":                    {"retry 0s"},
		":c\rretry: 99999999999999\r":    {"retry 1h0m0s"},
		"retry: 1\nretry: 2\n\n":         {"retry 2ms"},
		"retry: -1\nretry: +1\nretry\n":  nil,
		"retry: 1x\nretry:  1\n":         nil,
		"retry: 99999999999999999999\n":  nil,
		"data: retry: 1\nid: retry:1\n":  nil,
		"retry: 00000000000000000001\n":  nil,
		"retry: 1":                       nil,
		"ret\nry: 1\n data\nretrys: 1\n": nil,
	} {
		if got, _ := followAll(t, eventStream(stream), ""); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", stream, got, want)
		}
	}
	// In any pieces.
	var advice retryAdvice
	for _, piece := range []string{"re", "", "try:", " 25", "\n"} {
		wait, ok := advice.read([]byte(piece))
		if last := piece == "\n"; ok != last || last && wait != 25*time.Millisecond {
			t.Errorf("after %q: %s %v", piece, wait, ok)
		}
	}
}

// TestCompressedStream: a stream that is compressed on the way is read event by
// event, as it comes.
func TestCompressedStream(t *testing.T) {
	t.Parallel()
	type flusher interface {
		io.WriteCloser
		Flush() error
	}
	for name, test := range map[string]struct {
		encoding string
		compress func(w io.Writer) flusher
	}{
		"gzip":         {"gzip", func(w io.Writer) flusher { return gzip.NewWriter(w) }},
		"old name":     {"X-GZIP", func(w io.Writer) flusher { return gzip.NewWriter(w) }},
		"deflate":      {"deflate", func(w io.Writer) flusher { return zlib.NewWriter(w) }},
		"bare deflate": {"deflate", func(w io.Writer) flusher { f, _ := flate.NewWriter(w, 5); return f }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			read := make(chan struct{})
			client, server := setup(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				w.Header().Set("Content-Encoding", test.encoding)
				c := test.compress(w)
				for range 3 {
					_, _ = io.WriteString(c, orderLine("A1", "x"))
					_ = c.Flush()
					_ = http.NewResponseController(w).Flush()
					select { // the next one only when this one has arrived
					case <-read:
					case <-r.Context().Done():
					}
				}
				_ = c.Close()
			})
			err := client.Follow(t.Context(), Stream{URL: server.URL, Token: redact.NewSecret(testToken)}, "", StreamHandler{Event: func(e StreamEvent) {
				if e.Order == nil {
					t.Errorf("event = %+v", e)
				}
				read <- struct{}{}
			}})
			if !errors.Is(err, ErrStreamEnded) {
				t.Errorf("Follow = %v", err)
			}
		})
	}
	t.Run("answer of a call", func(t *testing.T) {
		t.Parallel()
		client, _ := setup(t, func(w http.ResponseWriter, _ *http.Request) {
			var b bytes.Buffer
			c := gzip.NewWriter(&b)
			_, _ = io.WriteString(c, getAnswer)
			_ = c.Close()
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(b.Bytes())
		})
		if state, err := client.Get(t.Context(), redact.NewSecret(testKey), "A1"); err != nil || state.Amount != 1250 {
			t.Errorf("Get = %+v, %v", state, err)
		}
	})
	t.Run("not what it says", func(t *testing.T) {
		t.Parallel()
		got, err := followAll(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			eventStream(orderLine("A1", "x"))(w, r)
		}, "")
		if len(got) != 0 || Reason(err) != ReasonTransport {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestStreamExpires(t *testing.T) {
	t.Parallel()
	jwt := func(claims string) string {
		return "eyJhbGciOiJIUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
	}
	at := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	seconds := fmt.Sprint(at.Unix())
	for token, want := range map[string]time.Time{
		jwt(`{"exp":` + seconds + `,"pid":"x"}`): at,
		jwt(`{"exp":"` + seconds + `"}`):         at,
		"\t" + jwt(`{"exp":`+seconds+`}`) + "\t": at,
		jwt(`{"exp":` + seconds + `.5}`):         {},
		jwt(`{"exp":-1}`):                        {},
		jwt(`{"exp":1e300}`):                     {},
		jwt(`{"exp":999999999999999}`):           {},
		jwt(`{}`):                                {},
		jwt(`[]`):                                {},
		"a.b.c":                                  {},
		testToken:                                {},
		"":                                       {},
		strings.TrimSuffix(jwt(`{"exp":1}`), ".c2ln") + "…": {},
	} {
		if got := (Stream{Token: redact.NewSecret(token)}).Expires(); !got.Equal(want) {
			t.Errorf("Expires of %q = %s, want %s", token, got, want)
		}
	}
}
