//go:build linux

package main

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// Everything can be measured. The values of such short runs mean nothing.
func TestEverythingIsMeasured(t *testing.T) {
	t.Parallel()
	for what, want := range map[string]string{"bus": "publishes/s", "bridge": "start p50", "fill": "a replica was ready", "saturday": "busiest minute"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			var out, failed bytes.Buffer
			args := []string{what, "-duration", "300ms", "-workers", "3", "-orders", "50", "-terminals", "1000", "-servers", "1"}
			if code := run(t.Context(), args, &out, &failed); code != 0 || !strings.Contains(out.String(), want) {
				t.Errorf("exit code %d\n%s\n%s", code, out.String(), failed.String())
			}
		})
	}
	if code := run(t.Context(), []string{"nothing"}, new(bytes.Buffer), new(bytes.Buffer)); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
}

func TestSaturday(t *testing.T) {
	t.Parallel()
	var shares, payments float64
	for _, trade := range trades {
		shares += trade.share
		payments += trade.share * trade.payments
	}
	const terminals = 2000
	d := drawDay(terminals, rand.New(rand.NewPCG(1, 1))) //nolint:gosec // no secret
	if want := terminals * payments; float64(d.payments) < 0.99*want || float64(d.payments) > 1.01*want || shares < 0.999 || shares > 1.001 {
		t.Errorf("%d payments, want about %.0f; shares add up to %v", d.payments, want, shares)
	}
	sum := 0
	for _, n := range d.second {
		sum += n
	}
	if sum != d.payments || d.busySecond*60 < d.busyMinute || d.open < d.busySecond || d.unpaid >= d.payments || d.statuses < 2*d.payments {
		t.Errorf("got %d payments in seconds, %+v", sum, d)
	}
	if longest, seconds := d.wait(d.busySecond); longest > 0 || seconds > 0 {
		t.Errorf("with room for the busiest second starts wait %s in %d seconds", longest, seconds)
	}
	if longest, seconds := (&day{second: [24 * 3600]int{5, 5, 0, 0}}).wait(2); seconds != 4 || longest != 3*time.Second {
		t.Errorf("got %s, %d", longest, seconds)
	}
}
