package client

import (
	"strconv"
	"testing"
)

func TestLedger(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fromStart bool
		before    []uint64
		sequence  uint64
		want      verdict
	}{
		"first of an order":            {false, nil, 1, inOrder},
		"an order that was under way":  {false, nil, 7, inOrder},
		"first, from the start":        {true, nil, 1, inOrder},
		"second first, from the start": {true, nil, 2, gap},
		"the next one":                 {false, []uint64{1, 2}, 3, inOrder},
		"again":                        {false, []uint64{1, 2}, 2, repeat},
		"older":                        {false, []uint64{1, 2}, 1, repeat},
		"one missing":                  {false, []uint64{1, 2}, 4, gap},
	} {
		l := ledger{fromStart: test.fromStart}
		for _, s := range test.before {
			l.enter("order", s)
		}
		l.enter("another", 99)
		if got, _ := l.judge("order", test.sequence); got != test.want {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
}

func TestLedgerIsBounded(t *testing.T) {
	t.Parallel()
	var l ledger
	l.enter("quiet", 1)
	for i := range 5 * ledgerSize {
		l.enter(strconv.Itoa(i), 1)
		l.enter("busy", uint64(i+1))
		if size := len(l.young) + len(l.old); size > 2*ledgerSize {
			t.Fatalf("got %d orders, want at most %d", size, 2*ledgerSize)
		}
	}
	if got, _ := l.judge("busy", 5*ledgerSize); got != repeat {
		t.Errorf("the busy order was forgotten: got %v, want %v", got, repeat)
	}
	if _, known := l.last("quiet"); known {
		t.Error("the quiet order is still known")
	}
}
