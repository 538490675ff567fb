package main

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/posbridge/bridge/internal/bridgetest"
	"github.com/posbridge/bridge/schema"
)

// Scripts go by these numbers; docs/answers.md lists them.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	got := []int{exitOK, exitFailure, exitNotPaid, exitUnknown, exitRefused, exitTooLate, exitBadConfig}
	if want := []int{0, 1, 3, 4, 5, 6, 78}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestPayExitsByOutcome(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]int{
		"completed": exitOK, "cancelled": exitNotPaid, "expired": exitNotPaid, "void": exitNotPaid, "unresolved": exitUnknown,
	} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			bridge, environment := busOf(t, bridgetest.Handlers{})
			bridge.Handle(func(h *bridgetest.Handlers) {
				h.Start = startThen(func() *bridgetest.Bridge { return bridge }, "initialized", status)
			})
			code, out, errout := busCommand(t, environment, "pay", "-t", "T1", "--amount", "12.50", "--settle", "1ms")
			if code != want || errout != "" || !strings.Contains(out, status) {
				t.Errorf("got exit %d, want %d, and\n%s%s", code, want, out, errout)
			}
		})
	}
	_, environment := busOf(t, bridgetest.Handlers{Start: startThen(nil)})
	if code, out, errout := busCommand(t, environment, "pay", "-t", "T1", "--amount", "1", "--timeout", "100ms"); code != exitUnknown {
		t.Errorf("no end in time: got exit %d, want %d, and\n%s%s", code, exitUnknown, out, errout)
	}
}

// The exit code of a cancel says whether anything is charged.
func TestCancelExitsByOutcome(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]struct {
		code int
		says string
	}{
		"cancelled": {exitOK, ""}, "void": {exitOK, ""}, "expired": {exitOK, ""}, "not_created": {exitOK, ""},
		"completed": {exitTooLate, "Too late: the customer has paid"}, "reversed": {exitTooLate, "Too late"},
		"initialized": {exitUnknown, "Not cancelled yet"}, "unresolved": {exitUnknown, "Look the order up"}, "new": {exitUnknown, "Not cancelled yet"},
	} {
		_, environment := busOf(t, bridgetest.Handlers{Cancel: func(r schema.OrderRequest) (any, error) {
			return schema.CancelReply{OrderID: r.OrderID, TerminalID: r.TerminalID, Status: status}, nil
		}})
		code, out, errout := busCommand(t, environment, "cancel", "-t", "T1", "-o", "a")
		if code != want.code || !strings.Contains(errout, want.says) || (want.says == "") != (errout == "") {
			t.Errorf("%s: got exit %d, want %+v, and\n%s%s", status, code, want, out, errout)
		}
	}
	_, environment := busOf(t, bridgetest.Handlers{Cancel: func(schema.OrderRequest) (any, error) {
		return nil, schema.NewError(schema.ProviderRejected, "the provider refused to cancel the order; the payment is still open")
	}})
	code, _, errout := busCommand(t, environment, "cancel", "-t", "T1", "-o", "a")
	if code != exitRefused || !strings.Contains(errout, "still open, and can still be paid") || strings.Contains(errout, "nothing open") || strings.Contains(errout, "new order") {
		t.Errorf("refused: got exit %d and\n%s", code, errout)
	}
}

func TestPaySendsWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got schema.StartRequest
	bridge, environment := busOf(t, bridgetest.Handlers{})
	bridge.Handle(func(h *bridgetest.Handlers) {
		h.Start = func(r schema.StartRequest) (any, error) {
			mu.Lock()
			got = r
			mu.Unlock()
			return startThen(func() *bridgetest.Bridge { return bridge }, "completed")(r)
		}
	})
	asked := func(args ...string) string {
		t.Helper()
		if code, out, errout := busCommand(t, environment, append([]string{"pay", "--settle", "1ms"}, args...)...); code != exitOK {
			t.Fatalf("got exit %d\n%s%s", code, out, errout)
		}
		mu.Lock()
		defer mu.Unlock()
		data, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	request := asked("--terminal", "T1", "--amount", "0.5", "--currency", "kwd", "--order", "INV/1.2", "--description", "tea",
		"--custom-1", "one", "--custom-2", "two", "--custom-3", "three")
	want := `{"order_id":"INV/1.2","terminal_id":"T1","amount":500,"currency":"KWD","description":"tea","custom_info":{"custom_1":"one","custom_2":"two","custom_3":"three"}}`
	if request != want {
		t.Errorf("got %s, want %s", request, want)
	}
	request = asked("-t", "T1", "--amount", "3")
	form := regexp.MustCompile(`^{"order_id":"pay-\d{8}-[A-Z2-9]{6}","terminal_id":"T1","amount":300,"currency":"EUR"}$`)
	if !form.MatchString(request) {
		t.Errorf("got %s, want %s", request, form)
	}
}

func TestPayRefused(t *testing.T) {
	t.Parallel()
	_, environment := busOf(t, bridgetest.Handlers{Start: func(schema.StartRequest) (any, error) {
		refused := schema.NewError(schema.ProviderRejected, "no such gateway\x1b[2J")
		refused.Provider = &schema.ProviderAnswer{HTTPStatus: 422, ErrorCode: 1023, ErrorInfo: "No gateway"}
		return nil, refused
	}})
	code, out, errout := busCommand(t, environment, "pay", "-t", "T1", "--amount", "1", "--order", "a")
	wantOut := "Payment a: 1.00 EUR on terminal T1\n"
	wantErr := "pos-bridge: refused by the bridge: no such gateway\uFFFD[2J (provider_rejected)\n" +
		"  MultiSafepay answered HTTP 422, error 1023: No gateway\n" +
		"  MultiSafepay refused the order. This request left nothing open.\n" +
		"  Correct what MultiSafepay names, and start it under a new order id. If MultiSafepay knows the order from elsewhere, look it up there first: it may be paid.\n"
	if code != exitRefused || out != wantOut || errout != wantErr {
		t.Errorf("got exit %d, %q,\n%s\nwant exit %d, %q,\n%s", code, out, errout, exitRefused, wantOut, wantErr)
	}
	code, out, errout = busCommand(t, environment, "pay", "-t", "T1", "--amount", "1", "--order", "a", "--json")
	wantOut = `{"error":{"code":"provider_rejected","message":"no such gateway\u001b[2J","retryable":false,"provider":{"http_status":422,"error_code":1023,"error_info":"No gateway"}}}` + "\n"
	if code != exitRefused || out != wantOut || errout != wantErr {
		t.Errorf("as JSON: got exit %d,\n%s%s\nwant exit %d,\n%s%s", code, out, errout, exitRefused, wantOut, wantErr)
	}
}

// A person's two Ctrl-C, and a supervisor's SIGTERM.
func TestPayHearsSignals(t *testing.T) {
	t.Parallel()
	cancelled := make(chan struct{}, 1)
	bridge, environment := busOf(t, bridgetest.Handlers{Start: startThen(nil)})
	bridge.Handle(func(h *bridgetest.Handlers) {
		h.Cancel = func(r schema.OrderRequest) (any, error) {
			cancelled <- struct{}{}
			return schema.CancelReply{OrderID: r.OrderID, TerminalID: r.TerminalID, Status: schema.StatusCreated}, nil
		}
	})
	signal := func(cmd interface{ Signal(os.Signal) error }, s os.Signal) {
		t.Helper()
		if err := cmd.Signal(s); err != nil {
			t.Fatal(err)
		}
	}

	cmd, out, _ := process(t, environment, "pay", "-t", "T1", "--amount", "1", "--order", "one", "--settle", "1ms")
	out.Await(t, "accepted")
	signal(cmd.Process, os.Interrupt)
	<-cancelled
	bridge.Store(bridgetest.Event("T1", "one", 1, "cancelled"))
	ends(t, cmd, exitNotPaid)

	cmd, out, errout := process(t, environment, "pay", "-t", "T1", "--amount", "1", "--order", "two")
	out.Await(t, "accepted")
	signal(cmd.Process, os.Interrupt)
	errout.Await(t, "cancelling")
	signal(cmd.Process, os.Interrupt)
	ends(t, cmd, exitUnknown)
	if got, want := errout.String(), howCalled()+" watch --terminal T1 --order two --since 1h"; !strings.Contains(got, want) {
		t.Errorf("got remarks\n%s\nwant %q", got, want)
	}

	cmd, out, _ = process(t, environment, "pay", "-t", "T1", "--amount", "1", "--order", "three")
	out.Await(t, "accepted")
	signal(cmd.Process, syscall.SIGTERM)
	ends(t, cmd, exitUnknown)
}
