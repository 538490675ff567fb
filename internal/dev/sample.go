package dev

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/internal/till"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// sampleStatuses is the course of the sample payment.
var sampleStatuses = []string{"initialized", "declined", "initialized", "completed"}

// awaitService waits until commands are answered on the bus.
func awaitService(ctx context.Context, conn *nats.Conn) error {
	for {
		_, err := conn.RequestWithContext(ctx, subjects.Default().Command(subjects.List), []byte("{}"))
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("wait for the bridge: %w", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Sample makes one payment through a soft decline to completion and writes each
// message as it passes on the bus. It fails when the payment takes another course.
func Sample(ctx context.Context, conn *nats.Conn, terminal string, out io.Writer) error {
	// A kept folder remembers the orders of earlier runs.
	order := "sample-" + strings.Replace(time.Now().Format("060102-150405.000"), ".", "-", 1)
	subject, err := subjects.Default().Of(terminal, order, subjects.Status)
	if err != nil {
		return err
	}
	events, err := conn.SubscribeSync(subject)
	if err != nil {
		return fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	request, err := json.Marshal(schema.StartRequest{
		OrderID: order, TerminalID: terminal, Amount: 1250, Currency: "EUR", Description: "2 coffees, 1 cake",
		CustomInfo: &schema.CustomInfo{Custom1: "scenario:soft_decline_then_approve"},
	})
	if err != nil {
		return fmt.Errorf("write request: %w", err)
	}
	fmt.Fprintf(out, "\nA sample payment of %s: the card is declined once, then the customer enters the PIN.\n\n", till.FormatAmount(1250, "EUR"))
	began := time.Now()
	command := subjects.Default().Command(subjects.Start)
	show(out, began, "request", command, "start a payment", request)
	reply, err := conn.RequestWithContext(ctx, command, request)
	if err != nil {
		return fmt.Errorf("request %s: %w", command, err)
	}
	show(out, began, "reply", "", "the order exists; its events follow", reply.Data)
	if reply.Header.Get(schema.HeaderErrorCode) != "" {
		return errors.New(reply.Header.Get(schema.HeaderError))
	}
	var statuses []string
	for {
		msg, err := events.NextMsgWithContext(ctx)
		if err != nil {
			return fmt.Errorf("wait for a status event: %w", err)
		}
		var e schema.StatusEvent
		if err := json.Unmarshal(msg.Data, &e); err != nil {
			return fmt.Errorf("read status event: %w", err)
		}
		says := e.Status
		if e.Source == schema.SourceReconcile {
			says += " (learnt by asking for the order; the others come from its event stream)"
		}
		show(out, began, "event", msg.Subject, says, msg.Data)
		statuses = append(statuses, e.Status)
		if e.Final {
			break
		}
	}
	if !slices.Equal(statuses, sampleStatuses) {
		return fmt.Errorf("its statuses were %s, but should have been %s", strings.Join(statuses, ", "), strings.Join(sampleStatuses, ", "))
	}
	fmt.Fprintf(out, "\nPaid. The statuses were %s.\n", strings.Join(statuses, ", "))
	return nil
}

// show writes one message: when, what, where; what it says; and itself.
func show(out io.Writer, began time.Time, kind, subject, says string, body []byte) {
	fmt.Fprintf(out, "%5.1fs  %-7s  %s\n", time.Since(began).Seconds(), kind, says)
	if subject != "" {
		fmt.Fprintf(out, "                 %s\n", subject)
	}
	fmt.Fprintf(out, "                 %s\n", body)
}
