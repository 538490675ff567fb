package client_test

import (
	"errors"
	"testing"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/internal/bridgetest"
	"github.com/posbridge/bridge/schema"
)

// A receipt and an order are those that were asked for: an answer about another one is
// no answer.
func TestAnswersAboutAnotherOrder(t *testing.T) {
	t.Parallel()
	receipt := schema.Receipt{Merchant: schema.ReceiptMerchant{Name: "Shop"}}
	bus := setup(t, bridgetest.Handlers{
		Receipt: func(schema.OrderRequest) (any, error) {
			return schema.ReceiptReply{TerminalID: "T1", OrderID: "a", Receipt: receipt}, nil
		},
		Get: func(schema.OrderRequest) (any, error) { return schema.Session{TerminalID: "T1", OrderID: "a"}, nil },
	}, bridgetest.Options{}).client
	if got, err := bus.Receipt(limited(t), "T1", "a"); err != nil || got.Receipt.Merchant != receipt.Merchant {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := bus.Get(limited(t), "T1", "a"); err != nil || got.OrderID != "a" {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := bus.Receipt(limited(t), "T1", "b"); !errors.Is(err, client.ErrBadReply) {
		t.Errorf("another order's receipt: got %v", err)
	}
	if _, err := bus.Get(limited(t), "T2", "a"); !errors.Is(err, client.ErrBadReply) {
		t.Errorf("another terminal's order: got %v", err)
	}
}
