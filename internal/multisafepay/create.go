package multisafepay

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/schema"
)

// Created is what the provider answered to a new order.
type Created struct {
	// SessionID is empty when the answer had none.
	SessionID string
	// Stream is zero when the answer had no usable token or URL.
	Stream Stream
}

// Create puts a new order to the provider, which makes the terminal ring. It is
// sent at most once, and never after notAfter (zero: no such time): then the
// error is a KindTooLate, and it is certain that nothing was sent. After an error
// that is Doubtful the order may exist, or may come to exist.
func (c *Client) Create(ctx context.Context, key redact.Secret, o schema.StartRequest, notAfter time.Time) (Created, error) {
	r := c.request(OpCreate, http.MethodPost, "/orders", o.OrderID, key)
	body, err := encode(o)
	if err != nil {
		return Created{}, &Error{Op: r.op, Kind: KindNonsense, Err: err}
	}
	r.body, r.notAfter = body, notAfter
	a, err := c.calls.call(ctx, r)
	if err != nil {
		return Created{}, err
	}
	return a.created()
}

// created reads the answer to a create request.
func (a answer) created() (Created, error) {
	var data struct {
		OrderID   json.RawMessage `json:"order_id"`
		SessionID json.RawMessage `json:"session_id"`
		Token     json.RawMessage `json:"events_token"`
		URL       json.RawMessage `json:"events_stream_url"`
		// Older names. "events_url" is the address of a WebSocket, which is not used.
		OldToken json.RawMessage `json:"event_token"`
		OldURL   json.RawMessage `json:"event_stream_url"`
		OlderURL json.RawMessage `json:"event_url"`
	}
	if json.Unmarshal(a.data, &data) != nil {
		return Created{}, a.unusable(KindLost, errNoData)
	}
	token := strings.Trim(firstString(data.Token, data.OldToken), around)
	streamURL := firstString(data.URL, data.OldURL, data.OlderURL)
	session, _ := text(data.SessionID)
	switch err := whose(data.OrderID, a.order); {
	case err == nil:
	case errors.Is(err, errNoData) && session != "" && token != "": // nothing else is answered so
	default: // an order was created, whatever the answer calls it
		return Created{}, a.unusable(KindLost, err)
	}
	return Created{
		SessionID: safeID(a.hide.And(redact.NewScrubber(redact.NewSecret(token))), session, maxSessionID),
		Stream:    newStream(streamURL, token),
	}, nil
}

// firstString returns the first JSON string that is not empty.
func firstString(values ...json.RawMessage) string {
	for _, raw := range values {
		if s := plainString(raw); s != "" {
			return s
		}
	}
	return ""
}
