package nats_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"

	payments "github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/schema"
)

// A till that is made with package client needs the rights of a till and no more: it
// pays, resumes and cancels. It cannot read the stream, and finds that out once.
func TestClientWithLeastRights(t *testing.T) {
	t.Parallel()
	for config, inbox := range map[string]string{"users.conf": "_INBOX.T1", "accounts.conf": "_INBOX"} {
		t.Run(config, func(t *testing.T) {
			t.Parallel()
			f := setup(t, config)
			till := as(t, f.nats, tillT1, nats.CustomInboxPrefix(inbox))
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			bus, err := payments.New(till.Conn, payments.Options{})
			if err != nil {
				t.Fatal(err)
			}
			paid, err := bus.Start(ctx, schema.StartRequest{TerminalID: "T1", OrderID: "A1", Amount: 1250, Currency: "EUR"})
			if err != nil {
				t.Fatalf("start: %v\n%s", err, f.logs)
			}
			defer paid.Close()
			var got []string
			for status, err := range paid.Statuses(ctx) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, status.Status)
			}
			if want := []string{"initialized", "completed"}; !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			again, err := bus.Resume(ctx, "T1", "A1")
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			if result, err := again.Wait(ctx); err != nil || result.Outcome != schema.Paid {
				t.Errorf("got %s, %v, want paid", result.Outcome, err)
			}
			waiting := schema.StartRequest{
				TerminalID: "T1", OrderID: "A2", Amount: 1250, Currency: "EUR",
				CustomInfo: &schema.CustomInfo{Custom1: "scenario:wait"},
			}
			open, err := bus.Start(ctx, waiting)
			if err != nil {
				t.Fatal(err)
			}
			defer open.Close()
			if _, err := bus.Start(ctx, schema.StartRequest{TerminalID: "T1", OrderID: "A3", Amount: 1, Currency: "EUR"}); !errors.Is(err, payments.ErrTerminalBusy) {
				t.Errorf("got %v, want terminal_busy", err)
			}
			if _, err := open.Cancel(ctx); err != nil {
				t.Error(err)
			}
			if result, err := open.Wait(ctx); err != nil || result.Outcome != schema.Unpaid {
				t.Errorf("got %s, %v, want unpaid", result.Outcome, err)
			}
			till.mu.Lock()
			defer till.mu.Unlock()
			if len(till.errors) > 1 {
				t.Errorf("got %d refusals, want one at most: %v", len(till.errors), till.errors)
			}
		})
	}
}
