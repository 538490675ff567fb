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
	r := c.request(OpCancel, http.MethodPost, "/orders/"+segment(orderID)+"/cancel", key)
	a, err := c.aboutOrder(ctx, r, orderID)
	if err != nil {
		return "", err
	}
	return a.cancelled(r, orderID)
}

// cancelled reads the answer to a cancel request.
func (a answer) cancelled(r request, orderID string) (status string, err error) {
	e, failed := a.check(r)
	if failed != nil {
		return "", failed
	}
	var data struct {
		OrderID json.RawMessage `json:"order_id"`
		Status  json.RawMessage `json:"status"`
	}
	if json.Unmarshal(e.data, &data) != nil {
		return "", a.unusable(r, KindLost, errNoData)
	}
	if err := whose(data.OrderID, orderID); err != nil && !errors.Is(err, errNoData) {
		return "", a.foreign(r, err)
	}
	status, ok := safeStatus(r.hide, plainString(data.Status))
	if !ok {
		return "", a.unusable(r, KindLost, errNoStatus)
	}
	return status, nil
}
