package multisafepay_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/simulator/simulatortest"
	"github.com/posbridge/bridge/schema"
)

const (
	simulatedKey      = "demo-key"
	simulatedTerminal = "SIM00001"
)

// simulated is a client of a simulator.
type simulated struct {
	*multisafepay.Client
	sim *simulatortest.Server
	t   *testing.T
}

func simulate(t *testing.T, o simulator.Options) *simulated {
	t.Helper()
	sim := simulatortest.Start(t, o)
	client, err := multisafepay.New(multisafepay.Options{BaseURL: sim.APIURL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &simulated{client, sim, t}
}

func (s *simulated) fault(name simulator.FaultName, mode string) {
	s.t.Helper()
	if _, err := s.sim.SetFault(simulator.Fault{Name: name, Mode: mode}); err != nil {
		s.t.Fatal(err)
	}
}

// create creates order A1 of 12.50.
func (s *simulated) create(change ...func(*schema.StartRequest)) (multisafepay.Created, error) {
	o := schema.StartRequest{OrderID: "A1", TerminalID: simulatedTerminal, Amount: 1250, Currency: "EUR", Description: "two coffees"}
	for _, c := range change {
		c(&o)
	}
	return s.Create(s.t.Context(), redact.NewSecret(simulatedKey), o, time.Now().Add(time.Minute))
}

func TestSimulatedCreates(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"no_success", "success_1", "success_text", "no_order_id", "old_names", "event_url", "no_token"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := simulate(t, simulator.Options{Manual: true})
			s.fault(simulator.FaultOddAnswer, mode)
			got, err := s.create()
			if err != nil || got.SessionID == "" || got.Stream.IsZero() != (mode == "no_token") {
				t.Errorf("created %+v, %v", got, err)
			}
			if mode != "no_token" && got.Stream.Expires().Before(time.Now()) {
				t.Errorf("the token expires at %s", got.Stream.Expires())
			}
		})
	}
}

func TestSimulatedAnswers(t *testing.T) {
	t.Parallel()
	for mode, check := range map[string]func(there multisafepay.OrderState) bool{
		"tip":               func(o multisafepay.OrderState) bool { return o.Amount == 1500 },
		"partial_approval":  func(o multisafepay.OrderState) bool { return o.Amount == 625 },
		"terminal_spelling": func(o multisafepay.OrderState) bool { return o.TerminalID == "sim00001" },
		"text_numbers":      func(o multisafepay.OrderState) bool { return o.Amount == 1250 && len(o.TransactionID) == 17 },
		"number_texts":      func(o multisafepay.OrderState) bool { return o.Status == "initialized" },
		"empty_details":     func(o multisafepay.OrderState) bool { return o.TerminalID == "" },
		"no_details":        func(o multisafepay.OrderState) bool { return o.TerminalID == "" },
		"time_zone":         func(o multisafepay.OrderState) bool { return time.Since(o.Created).Abs() < time.Hour },
		"no_success":        func(o multisafepay.OrderState) bool { return o.Amount == 1250 },
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := simulate(t, simulator.Options{Manual: true})
			if _, err := s.create(); err != nil {
				t.Fatal(err)
			}
			if _, err := s.sim.Act(simulatedTerminal, simulator.ActTap); err != nil {
				t.Fatal(err)
			}
			s.fault(simulator.FaultOddAnswer, mode)
			got, err := s.Get(t.Context(), redact.NewSecret(simulatedKey), "A1")
			if err != nil || !check(got) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	t.Run("another order", func(t *testing.T) {
		t.Parallel()
		s := simulate(t, simulator.Options{Manual: true})
		_, _ = s.create()
		s.fault(simulator.FaultOddAnswer, "other_order")
		_, err := s.Get(t.Context(), redact.NewSecret(simulatedKey), "A1")
		if failed, ok := errors.AsType[*multisafepay.Error](err); !ok || failed.Kind != multisafepay.KindNotFound {
			t.Errorf("got %v, want a KindNotFound", err)
		}
	})
	t.Run("cancel", func(t *testing.T) {
		t.Parallel()
		s := simulate(t, simulator.Options{Manual: true})
		_, _ = s.create()
		s.fault(simulator.FaultOddAnswer, "void")
		if status, err := s.Cancel(t.Context(), redact.NewSecret(simulatedKey), "A1"); err != nil || status != "void" {
			t.Errorf("got %s, %v", status, err)
		}
	})
	for _, pager := range []string{simulator.PagerPage, simulator.PagerOffset, simulator.PagerNone} {
		t.Run("pager "+pager, func(t *testing.T) {
			t.Parallel()
			s := simulate(t, simulator.Options{})
			s.fault(simulator.FaultOddPager, pager)
			list, err := s.Terminals(t.Context(), redact.NewSecret(simulatedKey), "")
			if err != nil || len(list) != 4 || list[0].GroupID == "" || list[0].Foreign() {
				t.Errorf("got %+v, %v", list, err)
			}
		})
	}
}

// TestSimulatedEvents: whatever the events look like, and whatever history comes
// with them, nothing is invalid, and the payment is followed to its end.
func TestSimulatedEvents(t *testing.T) {
	t.Parallel()
	odd := map[string]simulator.FaultName{
		"": "", "order_updated": simulator.FaultOddEvent, "message": simulator.FaultOddEvent, "unnamed": simulator.FaultOddEvent, "ping": simulator.FaultOddEvent,
		"envelope": simulator.FaultOddEvent, "channel": simulator.FaultOddEvent, "array": simulator.FaultOddEvent,
		simulator.HistoryReplay: simulator.FaultHistory, simulator.HistoryReplayIDs: simulator.FaultHistory, simulator.HistoryIDs: simulator.FaultHistory,
	}
	for mode, name := range odd {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := simulate(t, simulator.Options{StreamGrace: time.Minute, Linger: 20 * time.Millisecond})
			if name != "" {
				s.fault(name, mode)
			}
			created, err := s.create()
			if err != nil {
				t.Fatal(err)
			}
			var statuses, ids []string
			err = s.Follow(t.Context(), created.Stream, "", multisafepay.StreamHandler{OrderID: "A1", Event: func(e multisafepay.StreamEvent) {
				switch {
				case e.Order != nil:
					statuses, ids = append(statuses, e.Order.Status), append(ids, e.ID)
				case e.Invalid != nil || e.Foreign != "":
					t.Errorf("got %+v", e)
				}
			}})
			if want := []string{"initialized", "completed"}; !errors.Is(err, multisafepay.ErrStreamEnded) || !slices.Equal(statuses, want) {
				t.Errorf("got %q, want %q (%v)", statuses, want, err)
			}
			if with := mode == simulator.HistoryReplayIDs || mode == simulator.HistoryIDs; slices.Contains(ids, "") == with {
				t.Errorf("got ids %q", ids)
			}
		})
	}
}

func TestSimulatedReceiptAndNotification(t *testing.T) {
	t.Parallel()
	type notified struct {
		order string
		ok    bool
	}
	told := make(chan notified, 8)
	webhook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		n, err := multisafepay.ParseNotification(r.URL.Query(), body)
		_, ok := multisafepay.VerifyNotification([]redact.Secret{redact.NewSecret("other"), redact.NewSecret(simulatedKey)}, r.Header.Get("Auth"), body)
		told <- notified{n.OrderID, ok && err == nil}
		_, _ = io.WriteString(w, "OK")
	}))
	t.Cleanup(webhook.Close)
	s := simulate(t, simulator.Options{StreamGrace: -1})
	_, err := s.create(func(o *schema.StartRequest) {
		o.NotificationURL = webhook.URL
		o.CustomInfo = &schema.CustomInfo{Custom1: "scenario:" + string(simulator.ApproveWithTip)}
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := <-told; !got.ok || got.order != "A1" {
		t.Errorf("notified %+v, want one about A1 that is signed", got)
	}
	for {
		there, err := s.Get(t.Context(), redact.NewSecret(simulatedKey), "A1")
		if err != nil {
			t.Fatal(err)
		}
		if there.Status == "completed" {
			break
		}
		<-told
	}
	receipt, err := s.Receipt(t.Context(), redact.NewSecret(simulatedKey), "A1")
	if err != nil || receipt.Order.Tip <= 0 || receipt.Order.Amount != 1250+receipt.Order.Tip || receipt.Payment.Last4 != simulator.CardLast4 || receipt.Merchant.Name == "" {
		t.Errorf("got %+v, %v", receipt, err)
	}
}
