package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
)

func TestCodesOfTheContract(t *testing.T) {
	t.Parallel()
	want := []struct {
		code      Code
		number    int
		retryable bool
	}{
		{"invalid_request", 400, false},
		{"unknown_terminal", 404, false},
		{"not_found", 404, false},
		{"terminal_busy", 409, true},
		{"order_conflict", 409, false},
		{"provider_rejected", 422, false},
		{"provider_error", 502, false},
		{"provider_unavailable", 503, true},
		{"shutting_down", 503, true},
		{"outcome_unknown", 504, true},
	}
	codes := Codes()
	if len(codes) != len(want) {
		t.Fatalf("got %d codes, want %d", len(codes), len(want))
	}
	for i, w := range want {
		if codes[i] != w.code || codes[i].Number() != w.number || codes[i].Retryable() != w.retryable {
			t.Errorf("got %s, %d, %v; want %s, %d, %v",
				codes[i], codes[i].Number(), codes[i].Retryable(), w.code, w.number, w.retryable)
		}
	}
	if got := Code("new"); got.Number() != 500 || got.Retryable() {
		t.Errorf("a code that is not known: got %d, %v", got.Number(), got.Retryable())
	}
}

func TestErrorIsOne(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("start payment: %w", NewError(TerminalBusy, "order %s is open", "A"))
	e, ok := errors.AsType[*Error](err)
	if !ok || !e.Retryable || e.Message != "order A is open" {
		t.Fatalf("got %+v", e)
	}
	if got, want := err.Error(), "start payment: terminal_busy: order A is open"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	body, jsonErr := json.Marshal(ErrorReply{Error: *e})
	if jsonErr != nil {
		t.Fatal(jsonErr)
	}
	if got, want := string(body), `{"error":{"code":"terminal_busy","message":"order A is open","retryable":true}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
