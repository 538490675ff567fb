package multisafepay

import (
	"context"
	"errors"
)

// aboutOrder makes a request about one order.
func (c *Client) aboutOrder(ctx context.Context, r request, orderID string) (answer, error) {
	if orderID == "" { // the path would be that of all orders
		return answer{}, &Error{Op: r.op, Kind: KindNonsense, Err: errNoOrderID}
	}
	a, failed := c.calls.call(ctx, r)
	if failed != nil {
		return answer{}, failed
	}
	return a, nil
}

// foreign is the error of an answer that is not about the order that was asked for.
func (a answer) foreign(r request, err error) *Error {
	switch {
	case errors.Is(err, errOtherOrder):
		return a.unusable(r, KindNotFound, err)
	case errors.Is(err, errUnclearOrder):
		return a.unusable(r, KindNonsense, err)
	}
	return a.unusable(r, KindLost, err)
}
