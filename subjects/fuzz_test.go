package subjects

import (
	"strings"
	"testing"
)

// FuzzRoundTrip: whatever ids are accepted come back from their subject, and
// the subject has the shape that NATS permissions and streams count on.
func FuzzRoundTrip(f *testing.F) {
	f.Add("pos", "00000ABC", "INV-2026-7")
	f.Add("shop.till", "T_1-a", "a.b/c")
	f.Add("a.b.c.d", "payment", "..")
	f.Add("pos", "T", "%2E")
	f.Add("pos", "T.x", "A")
	f.Add("pos", "*", ">")
	f.Add("", "", "")
	f.Add("pos\n", "T\x00", "A B")
	f.Fuzz(func(t *testing.T, prefix, terminal, order string) {
		s, err := New(prefix)
		if err != nil {
			return
		}
		for _, kind := range []Kind{Status, Invalid, Claim} {
			subject, err := s.Of(terminal, order, kind)
			if accepted := CheckTerminal(terminal) == nil && CheckOrder(order) == nil; accepted != (err == nil) {
				t.Fatalf("got %v, want accepted: %v", err, accepted)
			}
			if err != nil {
				return
			}
			if strings.ContainsAny(subject, "*> \t\r\n") || strings.Contains(subject, "..") || strings.HasPrefix(subject, ".") {
				t.Fatalf("%q is no plain subject", subject)
			}
			if got, want := strings.Count(subject, "."), strings.Count(prefix, ".")+3; got != want {
				t.Fatalf("%q: got %d dots, want %d", subject, got, want)
			}
			gotTerminal, gotOrder, gotKind, err := s.Parse(subject)
			if err != nil || gotTerminal != terminal || gotOrder != order || gotKind != kind {
				t.Fatalf("%q: got %q, %q, %q, %v", subject, gotTerminal, gotOrder, gotKind, err)
			}
			if _, _, err := s.CommandTerminal(subject); err == nil {
				t.Fatalf("%q is taken for a command", subject)
			}
		}
		command, err := s.TerminalCommand(terminal, Start)
		if err != nil {
			t.Fatal(err)
		}
		if got, bound, err := s.CommandTerminal(command); err != nil || !bound || got != terminal {
			t.Fatalf("%q: got %q, %v, %v", command, got, bound, err)
		}
		if _, _, _, err := s.Parse(command); err == nil {
			t.Fatalf("%q is taken for a message of an order", command)
		}
	})
}

// FuzzParse: whatever subject is understood is one that Of builds.
func FuzzParse(f *testing.F) {
	for _, subject := range []string{
		"pos.T.A.status", "pos.T.a%2Eb%2Fc.claim", "pos.T.A.journal.claim", "pos.T.%2e.status", "pos.*.>.status", "pos.T.A.B.status", "pos..A.status",
		"pos.T.payment.start", "pos.payment.start", "", ".", "....", "pos.T.\xff.status", "pos.T.%2E%2.invalid",
	} {
		f.Add(subject)
	}
	s := Default()
	f.Fuzz(func(t *testing.T, subject string) {
		terminal, order, kind, err := s.Parse(subject)
		if err != nil {
			if terminal != "" || order != "" || kind != "" {
				t.Fatalf("%q: something is left beside %v", subject, err)
			}
			return
		}
		if got, err := s.Of(terminal, order, kind); err != nil || got != subject {
			t.Fatalf("%q: built again: got %q, %v", subject, got, err)
		}
	})
}

// FuzzOrderToken: no two orders have one token, and no order two.
func FuzzOrderToken(f *testing.F) {
	for _, token := range []string{"A", "a%2Eb", "%2F", "%2f", "%2E%2E%2F", "%252E", "%", "a.b", "\x00"} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		order, err := ParseOrderToken(token)
		if err != nil {
			return
		}
		if err := CheckOrder(order); err != nil {
			t.Fatalf("%q: got order %q: %v", token, order, err)
		}
		if got := OrderToken(order); got != token {
			t.Fatalf("%q: written again: got %q", token, got)
		}
	})
}
