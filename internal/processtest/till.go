package processtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// Start is a start request, with the fields that tests use.
type Start struct {
	OrderID    string            `json:"order_id"`
	TerminalID string            `json:"terminal_id"`
	Amount     int64             `json:"amount"`
	Currency   string            `json:"currency"`
	CustomInfo map[string]string `json:"custom_info,omitempty"`
}

// NewStart is a request for a payment of 12.50 EUR that goes as the scenario of
// the simulator says; empty is the terminal's own.
func NewStart(terminal, order, scenario string) Start {
	s := Start{OrderID: order, TerminalID: terminal, Amount: 1250, Currency: "EUR"}
	if scenario != "" {
		s.CustomInfo = map[string]string{"custom_1": "scenario:" + scenario}
	}
	return s
}

// Reply is the answer to any command; what does not belong to it is empty.
type Reply struct {
	OrderID       string `json:"order_id"`
	TerminalID    string `json:"terminal_id"`
	SessionID     string `json:"session_id"`
	Status        string `json:"status"`
	StatusSubject string `json:"status_subject"`
	Created       bool   `json:"created"`
	Final         bool   `json:"final"`
	Active        bool   `json:"active"`
	Sequence      int    `json:"sequence"`
	Replica       string `json:"replica"`
	Error         *struct {
		Code      string `json:"code"`
		Message   string `json:"message"`
		Retryable bool   `json:"retryable"`
	} `json:"error"`
}

// Ask sends one command and waits for its answer. The error says that there was
// none.
func Ask(ctx context.Context, conn *nats.Conn, subject string, request any, limit time.Duration) (Reply, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return Reply{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answer, err := conn.RequestWithContext(ctx, subject, body)
	if err != nil {
		return Reply{}, fmt.Errorf("ask %s: %w", subject, err)
	}
	var r Reply
	if err := json.Unmarshal(answer.Data, &r); err != nil {
		return Reply{}, fmt.Errorf("read answer of %s: %w", subject, err)
	}
	return r, nil
}

// Pauses and limits of a till.
const (
	answerLimit = 5 * time.Second        // for one answer, before the same request is sent again
	againAfter  = 100 * time.Millisecond // an answer that the same request may be sent again after
	getInterval = 500 * time.Millisecond // between questions, for a till that may have missed a status
)

// Insist sends a command again and again until there is an answer that is not
// retryable, and returns that answer.
func Insist(ctx context.Context, conn *nats.Conn, subject string, request any) (reply Reply, err error) {
	for {
		reply, err = Ask(ctx, conn, subject, request, answerLimit)
		if err == nil && (reply.Error == nil || !reply.Error.Retryable) {
			return reply, nil
		}
		if err == nil {
			err = errors.New(reply.Error.Code + ": " + reply.Error.Message)
		}
		timer := time.NewTimer(againAfter)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return reply, fmt.Errorf("%s given up: %w", subject, err)
		}
	}
}

// Result is how a payment went for its till.
type Result struct {
	Started Reply
	// Final is the status that ended it.
	Final string
}

// Pay makes a payment as a till does: it subscribes, starts, and waits for the
// final status. With cancel it cancels the payment once it is started. The error
// says that it came to no end; a refusal is in Result.Started.
func Pay(ctx context.Context, conn *nats.Conn, s Start, cancel bool) (Result, error) {
	var r Result
	heard, err := conn.SubscribeSync("pos." + s.TerminalID + "." + s.OrderID + ".status")
	if err != nil {
		return r, err
	}
	defer heard.Unsubscribe() //nolint:errcheck // the connection may be closed
	r.Started, err = Insist(ctx, conn, "pos.payment.start", s)
	if err != nil || r.Started.Error != nil {
		return r, err
	}
	if cancel {
		if _, err := Insist(ctx, conn, "pos."+s.TerminalID+".payment.cancel", map[string]string{"order_id": s.OrderID}); err != nil {
			return r, err
		}
	}
	for {
		wait, stop := context.WithTimeout(ctx, getInterval)
		m, err := heard.NextMsgWithContext(wait)
		stop()
		if err == nil {
			var e event
			if err := json.Unmarshal(m.Data, &e); err != nil || e.Final == nil {
				return r, fmt.Errorf("read event of order %s: %w", s.OrderID, err)
			}
			if *e.Final {
				r.Final = e.Status
				return r, nil
			}
			continue
		}
		if ctx.Err() != nil {
			return r, fmt.Errorf("payment %s on %s has not ended: %w", s.OrderID, s.TerminalID, context.Cause(ctx))
		}
		told, err := Ask(ctx, conn, "pos.payment.get", map[string]string{"terminal_id": s.TerminalID, "order_id": s.OrderID}, answerLimit)
		if err == nil && told.Error == nil && told.Final {
			r.Final = told.Status
			return r, nil
		}
	}
}
