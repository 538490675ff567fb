package multisafepay

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
)

// Bounds of ids in answers, in characters; longer ones are dropped.
const (
	maxSessionID     = 256
	maxTransactionID = 64
	maxTerminalID    = 36
)

// Errors that an answer's content gives rise to.
var (
	errNoOrderID    = errors.New("no order id given")
	errOtherOrder   = errors.New("answer is about another order")
	errUnclearOrder = errors.New("answer does not make clear which order it is about")
	errNoData       = errors.New("answer contains no data")
	errNoStatus     = errors.New("answer contains no status")
)

// whose tells whether an answer's order id is the one that was asked for. It
// returns nil for the same one, errNoData for none, errOtherOrder for another
// order's, and errUnclearOrder when it may be the same one written otherwise.
func whose(raw json.RawMessage, orderID string) error {
	id, ok := text(raw)
	switch {
	case id == orderID:
		return nil
	case !ok, id == "":
		return errNoData
	case strings.EqualFold(id, orderID), raw[0] != '"' && id == strings.TrimLeft(orderID, "0"):
		return errUnclearOrder
	}
	return errOtherOrder
}

// segment escapes an order id as one segment of a path. "." and ".." would be
// taken for a step within it.
func segment(orderID string) string {
	if orderID == "." || orderID == ".." {
		return strings.ReplaceAll(orderID, ".", "%2E")
	}
	return url.PathEscape(orderID)
}
