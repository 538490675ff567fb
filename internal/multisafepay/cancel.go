package multisafepay

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/posbridge/bridge/internal/redact"
)

// Cancel asks the provider to cancel an order and returns the status that it
// has now, in lower case ("cancelled" or "void"). After an error that is Doubtful
// it may have been cancelled.
func (c *Client) Cancel(ctx context.Context, key redact.Secret, orderID string) (status string, err error) {
	a, err := c.calls.call(ctx, c.request(OpCancel, http.MethodPost, "/orders/"+segment(orderID)+"/cancel", orderID, key))
	if err != nil {
		return "", err
	}
	return a.cancelled()
}

// cancelled reads the answer to a cancel request.
func (a answer) cancelled() (status string, err error) {
	var data struct {
		OrderID json.RawMessage `json:"order_id"`
		Status  json.RawMessage `json:"status"`
	}
	if json.Unmarshal(a.data, &data) != nil {
		return "", a.unusable(KindLost, errNoData)
	}
	if err := whose(data.OrderID, a.order); err != nil && !errors.Is(err, errNoData) {
		return "", a.foreign(err)
	}
	status, ok := safeStatus(a.hide, plainString(data.Status))
	if !ok {
		return "", a.unusable(KindLost, errNoStatus)
	}
	return status, nil
}
