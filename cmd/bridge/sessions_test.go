package main

import (
	"strings"
	"testing"

	"github.com/posbridge/bridge/internal/bridgetest"
	"github.com/posbridge/bridge/schema"
)

func TestSessionsAndCancel(t *testing.T) {
	t.Parallel()
	_, environment := busOf(t, bridgetest.Handlers{
		List: func() (any, error) {
			return schema.ListReply{Sessions: []schema.Session{bridgetest.Session(bridgetest.Event("T1", "a", 1, "initialized"))}}, nil
		},
		Get: func(r schema.OrderRequest) (any, error) {
			if r.OrderID != "a" {
				return nil, schema.NewError(schema.NotFound, "order %s is not known", r.OrderID)
			}
			return bridgetest.Session(bridgetest.Event("T1", "a", 1, "initialized")), nil
		},
		Receipt: func(r schema.OrderRequest) (any, error) {
			return schema.ReceiptReply{OrderID: r.OrderID, TerminalID: r.TerminalID, Receipt: schema.Receipt{Order: schema.ReceiptOrder{Amount: 1250, Currency: "EUR"}}}, nil
		},
		Cancel: func(r schema.OrderRequest) (any, error) {
			return schema.CancelReply{OrderID: r.OrderID, TerminalID: r.TerminalID, Status: "cancelled"}, nil
		},
	})
	for _, test := range []struct {
		args string
		code int
		want string // in the output, or in the errors when the code is not 0
	}{
		{"sessions", exitOK, "TERMINAL  ORDER     AMOUNT  STATUS"},
		{"sessions -t T2", exitOK, "no open payments\n"},
		{"sessions --json", exitOK, `{"sessions":[{"order_id":"a","terminal_id":"T1",`},
		{"sessions -t T1 -o a", exitOK, "order          a\nterminal       T1\namount         12.50 EUR\n"},
		{"sessions -t T1 -o a --json", exitOK, `{"order_id":"a","terminal_id":"T1",`},
		{"sessions -t T1 -o b", exitRefused, "pos-bridge: refused by the bridge: order b is not known (not_found)\n"},
		{"sessions --all", exitOK, "no payment has changed within the last day\n"},
		{"sessions --all -t T1 -o a", exitBadConfig, "--all and --order exclude each other"},
		{"receipt -t T1 -o a", exitOK, "TOTAL                            12.50 EUR\n"},
		{"receipt -t T1 -o a --json", exitOK, `{"order_id":"a","terminal_id":"T1","receipt":{`},
		{"receipt -t T1", exitBadConfig, `--order is missing`},
		{"cancel -t T1 -o a", exitOK, "order a on terminal T1: cancelled: cancelled, nothing was charged\n"},
		{"cancel -t T1 -o a --json", exitOK, `{"order_id":"a","terminal_id":"T1","status":"cancelled"}` + "\n"},
	} {
		code, out, errout := busCommand(t, environment, strings.Fields(test.args)...)
		text := out
		if test.code != exitOK {
			text = errout
		}
		if code != test.code || !strings.Contains(text, test.want) {
			t.Errorf("%s: got exit %d, output\n%s%s\nwant exit %d, %q", test.args, code, out, errout, test.code, test.want)
		}
	}
}
