package subjects

import (
	"errors"
	"strings"
	"testing"
)

// hostile are ids that must be refused wherever an id is taken: they would
// change the subject, the URL or the log line that they stand in.
var hostile = []struct{ name, id string }{
	{"empty", ""},
	{"any token", "*"},
	{"any rest", ">"},
	{"wildcard inside", "a*b"},
	{"rest inside", "a>b"},
	{"blank", " "},
	{"blank inside", "a b"},
	{"blank before", " a"},
	{"blank after", "a "},
	{"tab", "a\tb"},
	{"line feed", "a\n"},
	{"carriage return", "a\r"},
	{"header injection", "a\r\nNats-Msg-Id: 1"},
	{"NUL", "a\x00"},
	{"escape", "a\x1b[31m"},
	{"delete", "a\x7f"},
	{"percent", "a%2Eb"},
	{"percent alone", "%"},
	{"query", "a?b"},
	{"fragment", "a#b"},
	{"ampersand", "a&b"},
	{"plus", "a+b"},
	{"backslash", `a\b`},
	{"quote", `a"b`},
	{"apostrophe", "a'b"},
	{"angle", "<a"},
	{"brace", "{a}"},
	{"dollar", "$SYS"},
	{"at", "a@b"},
	{"colon", "a:b"},
	{"equals", "a=b"},
	{"comma", "a,b"},
	{"umlaut", "\u00e4"},
	{"Cyrillic a", "\u0430"},
	{"fullwidth A", "\uff21"},
	{"Arabic digit", "\u0663"},
	{"no-break space", "a\u00a0b"},
	{"zero width space", "a\u200bb"},
	{"right to left", "a\u202eb"},
	{"line separator", "a\u2028b"},
	{"emoji", "\U0001f4b3"},
	{"not UTF-8", "\xff"},
	{"overlong slash", "\xc0\xaf"},
}

func TestHostileIDsAreRefusedEverywhere(t *testing.T) {
	t.Parallel()
	s := Default()
	for _, h := range hostile {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			refuse := func(what string, err, want error) {
				t.Helper()
				if !errors.Is(err, want) {
					t.Errorf("%s: got %v, want %v", what, err, want)
				}
				// The id itself is never in the error: it may be anything.
				if err != nil && len(h.id) > 3 && strings.Contains(err.Error(), h.id) {
					t.Errorf("%s: the error shows the id: %v", what, err)
				}
			}
			refuse("CheckTerminal", CheckTerminal(h.id), ErrTerminal)
			refuse("CheckOrder", CheckOrder(h.id), ErrOrder)
			_, err := s.Of(h.id, "A", Status)
			refuse("Of, terminal", err, ErrTerminal)
			_, err = s.Of("T", h.id, Status)
			refuse("Of, order", err, ErrOrder)
			_, err = s.OfTerminal(h.id, Status)
			refuse("OfTerminal", err, ErrTerminal)
			_, err = s.TerminalCommand(h.id, Start)
			refuse("TerminalCommand", err, ErrTerminal)
			_, err = s.Journal(h.id, "A", Claim)
			refuse("Journal, terminal", err, ErrTerminal)
			_, err = s.Journal("T", h.id, Claim)
			refuse("Journal, order", err, ErrOrder)
			_, err = s.Log(h.id, "A")
			refuse("Log, terminal", err, ErrTerminal)
			_, err = s.Log("T", h.id)
			refuse("Log, order", err, ErrOrder)
			_, err = s.Replica(h.id)
			refuse("Replica", err, ErrReplica)
			_, err = s.Session(h.id)
			refuse("Session", err, ErrTerminal)
			if _, _, _, err := s.Parse("pos." + h.id + ".A.status"); err == nil {
				t.Error("Parse, terminal: got no error")
			}
			if _, _, err := s.CommandTerminal("pos." + h.id + ".payment.start"); err == nil {
				t.Error("CommandTerminal: got no error")
			}
			if h.id != "a%2Eb" { // which is how a.b is written
				if _, _, _, err := s.Parse("pos.T." + h.id + ".status"); err == nil {
					t.Error("Parse, order: got no error")
				}
				if _, err := ParseOrderToken(h.id); err == nil {
					t.Error("ParseOrderToken: got no error")
				}
			}
		})
	}
}

func TestCheckTerminal(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, id string
		ok       bool
	}{
		{"digits", "00000001", true},
		{"letters", "00000ABC", true},
		{"underscore", "_", true},
		{"hyphen", "-", true},
		{"longest", strings.Repeat("a", 36), true},
		{"too long", strings.Repeat("a", 37), false},
		{"dot", "a.b", false},
		{"slash", "a/b", false},
		{"the word of a subject", "payment", true},
		{"the token of replicas", "_replica", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := CheckTerminal(tt.id); (err == nil) != tt.ok {
				t.Errorf("got %v, want accepted: %v", err, tt.ok)
			}
		})
	}
}

func TestOrderToken(t *testing.T) {
	t.Parallel()
	tests := []struct{ order, token string }{
		{"A", "A"},
		{"INV-2026_7", "INV-2026_7"},
		{".", "%2E"},
		{"..", "%2E%2E"},
		{"/", "%2F"},
		{"a.b/c", "a%2Eb%2Fc"},
		{"../../etc", "%2E%2E%2F%2E%2E%2Fetc"},
		{strings.Repeat("/", 50), strings.Repeat("%2F", 50)},
	}
	for _, tt := range tests {
		t.Run(tt.order, func(t *testing.T) {
			t.Parallel()
			if err := CheckOrder(tt.order); err != nil {
				t.Fatal(err)
			}
			if got := OrderToken(tt.order); got != tt.token {
				t.Errorf("got %s, want %s", got, tt.token)
			}
			if got, err := ParseOrderToken(tt.token); err != nil || got != tt.order {
				t.Errorf("back: got %q, %v, want %q", got, err, tt.order)
			}
		})
	}
	for _, token := range []string{"a.b", "a/b", "%2e", "%2f", "%41", "%", "%2", "%25", "a%2E%2", strings.Repeat("a", 51), strings.Repeat("%2E", 51)} {
		if got, err := ParseOrderToken(token); !errors.Is(err, ErrOrder) {
			t.Errorf("%q: got %q, %v, want %v: an order is written in one way only", token, got, err, ErrOrder)
		}
	}
}

func TestCheckPrefix(t *testing.T) {
	t.Parallel()
	tests := []struct {
		prefix string
		ok     bool
	}{
		{"pos", true},
		{"shop.till", true},
		{"a.b.c-d_e", true},
		{strings.Repeat("a", 64), true},
		{strings.Repeat("a", 65), false},
		{"", false},
		{".", false},
		{"a.", false},
		{".a", false},
		{"a..b", false},
		{"*", false},
		{"a.>", false},
		{"a b", false},
		{"$JS", false},
		{"ä", false},
	}
	for _, tt := range tests {
		t.Run(tt.prefix, func(t *testing.T) {
			t.Parallel()
			s, err := New(tt.prefix)
			if (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrPrefix) {
				t.Fatalf("got %v, want accepted: %v", err, tt.ok)
			}
			if tt.ok && s.Prefix() != tt.prefix {
				t.Errorf("got %s", s.Prefix())
			}
		})
	}
}

func TestSubjectsOfTheContract(t *testing.T) {
	t.Parallel()
	must := func(subject string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return subject
	}
	s := Default()
	other, err := New("shop.Till-1")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ got, want string }{
		{must(s.Of("00000ABC", "INV.2026/7", Status)), "pos.00000ABC.INV%2E2026%2F7.status"},
		{must(s.Of("T", "A", Invalid)), "pos.T.A.invalid"},
		{must(s.Of("T", "A", Claim)), "pos.T.A.claim"},
		{must(s.Journal("T", "a/b", Status)), "pos.T.a%2Fb.journal.status"},
		{must(s.Journal("T", "A", Claim)), "pos.T.A.journal.claim"},
		{s.AllJournals(), "pos.*.*.journal.*"},
		{must(s.Log("T", "a/b")), "pos.T.a%2Fb.*"},
		{s.AllLogs(), "pos.*.*.*"},
		{must(s.Replica("f81d4fae-7dec-11d0-a765-00a0c91e6bf6")), "pos._replica.f81d4fae-7dec-11d0-a765-00a0c91e6bf6"},
		{s.All(Status), "pos.*.*.status"},
		{must(s.OfTerminal("T", Status)), "pos.T.*.status"},
		{s.Command(Start), "pos.payment.start"},
		{s.Command(Cancel), "pos.payment.cancel"},
		{s.Command(Get), "pos.payment.get"},
		{s.Command(List), "pos.payment.list"},
		{s.Command(Receipt), "pos.payment.receipt"},
		{must(s.TerminalCommand("T", Start)), "pos.T.payment.start"},
		{s.AllTerminalCommands(Get), "pos.*.payment.get"},
		{must(s.Session("T")), "pos.T.session"},
		{s.AllSessions(), "pos.*.session"},
		{s.StatusStream(), "POS_STATUS"},
		{s.SessionStream(), "POS_SESSIONS"},
		{must(other.Of("T", "A", Status)), "shop.Till-1.T.A.status"},
		{other.Command(Start), "shop.Till-1.payment.start"},
		{other.StatusStream(), "SHOP_TILL-1_STATUS"},
		{other.SessionStream(), "SHOP_TILL-1_SESSIONS"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	s, err := New("shop.till")
	if err != nil {
		t.Fatal(err)
	}
	terminal, order, kind, err := s.Parse("shop.till.T1.a%2Eb%2Fc.status")
	if err != nil || terminal != "T1" || order != "a.b/c" || kind != Status {
		t.Errorf("got %q, %q, %q, %v", terminal, order, kind, err)
	}
	tests := []struct {
		subject string
		want    error
	}{
		{"", ErrSubject},
		{"shop.till", ErrSubject},
		{"shop.till.", ErrSubject},
		{"pos.T1.A.status", ErrSubject},
		{"shop.till2.T1.A.status", ErrSubject},
		{"shop.till.T1.status", ErrSubject},
		{"shop.till.T1.A.B.status", ErrSubject},
		{"shop.till.T1.A.session", ErrSubject},
		{"shop.till.T1.A.STATUS", ErrSubject},
		{"shop.till.T1.A.", ErrSubject},
		{"shop.till.payment.start", ErrSubject},
		{"shop.till.T1.payment.start", ErrSubject},
		{"shop.till..A.status", ErrTerminal},
		{"shop.till.*.A.status", ErrTerminal},
		{"shop.till.T1..status", ErrOrder},
		{"shop.till.T1.*.status", ErrOrder},
		{"shop.till.T1.%2e.status", ErrOrder},
	}
	for _, tt := range tests {
		t.Run(tt.subject, func(t *testing.T) {
			t.Parallel()
			terminal, order, kind, err := s.Parse(tt.subject)
			if !errors.Is(err, tt.want) || terminal != "" || order != "" || kind != "" {
				t.Errorf("got %q, %q, %q, %v, want %v", terminal, order, kind, err, tt.want)
			}
		})
	}
}

func TestCommandTerminal(t *testing.T) {
	t.Parallel()
	tests := []struct {
		subject, terminal string
		bound             bool
		err               error
	}{
		{"pos.payment.start", "", false, nil},
		{"pos.T1.payment.start", "T1", true, nil},
		{"pos.payment.payment.start", "payment", true, nil}, // a terminal of that name
		{"pos.T1.payment", "", false, ErrSubject},
		{"pos.T1.session", "", false, ErrSubject},
		{"pos.start", "", false, ErrSubject},
		{"payment.start", "", false, ErrSubject},
		{"post.payment.start", "", false, ErrSubject},
		{"pos.T1.A.payment.start", "", false, ErrSubject},
		{"pos.T1.A.status", "", false, ErrSubject},
	}
	for _, tt := range tests {
		t.Run(tt.subject, func(t *testing.T) {
			t.Parallel()
			terminal, bound, err := Default().CommandTerminal(tt.subject)
			if terminal != tt.terminal || bound != tt.bound || !errors.Is(err, tt.err) {
				t.Errorf("got %q, %v, %v, want %q, %v, %v", terminal, bound, err, tt.terminal, tt.bound, tt.err)
			}
		})
	}
}

// Subjects that mean different things never meet: an order, a terminal or a
// replica that has the name of a word in a subject is what it is all the same.
func TestSubjectsDoNotCollide(t *testing.T) {
	t.Parallel()
	s := Default()
	ids := []string{"payment", "_replica", "start", "cancel", "get", "list", "receipt", "status", "invalid", "claim", "journal", "session", "pos"}
	seen := map[string]string{}
	add := func(what, subject string, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if before, ok := seen[subject]; ok {
			t.Errorf("%s is %s and %s", subject, before, what)
		}
		seen[subject] = what
	}
	for _, c := range Commands() {
		add("command "+string(c), s.Command(c), nil)
		for _, terminal := range ids {
			subject, err := s.TerminalCommand(terminal, c)
			add("command "+string(c)+" of "+terminal, subject, err)
		}
	}
	for _, terminal := range ids {
		subject, err := s.Session(terminal)
		add("session of "+terminal, subject, err)
		if terminal != "session" {
			subject, err = s.Replica(terminal)
			add("replica "+terminal, subject, err)
		}
		for _, order := range ids {
			for _, kind := range []Kind{Status, Invalid, Claim} {
				subject, err := s.Of(terminal, order, kind)
				add(string(kind)+" of "+terminal+" "+order, subject, err)
				subject, err = s.Journal(terminal, order, kind)
				add("journal "+string(kind)+" of "+terminal+" "+order, subject, err)
			}
		}
	}
	if _, err := s.Replica("session"); !errors.Is(err, ErrReplica) {
		t.Errorf("a replica called session: got %v, want %v: the queue would take what is sent to it", err, ErrReplica)
	}
}
