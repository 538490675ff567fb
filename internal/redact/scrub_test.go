package redact

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// Test card numbers of the schemes.
var cardNumbersOfSchemes = []string{
	"4111111111111111", "5555555555554444", "378282246310005", "6011111111111117", "30569309025904",
	"3530111333300000", "4222222222222", "6304000000000000", "6759649826438453", "6799990100000000019",
}

func TestScrub(t *testing.T) {
	t.Parallel()
	const token = "tok\ten.with/odd+signs=="
	s := NewScrubber(NewSecret(token), NewSecret("k3y-of-the-group"), NewSecret("abc"))
	keep := map[string]string{
		"plain":            `Terminal "00000ABC" is busy`,
		"an event":         `{"financial_status":"initialized","order_id":"example_order_id","session_id":"d5MrwfDyPY36t8XAb2aMh5s6nH1XHOwqrOA00Ei","status":"initialized","transaction_id":"890000000"}`,
		"UUID":             "550e8400-e29b-41d4-a716-446655440000",
		"date":             "2025-08-01T12:00:00.123Z",
		"dates in a row":   "2025-08-01 2025-08-02",
		"short numbers":    "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13",
		"twelve digits":    "411111111111",
		"bad check digit":  "4222222222223",
		"host name":        "api.multisafepay.com",
		"masked card":      "411111******1111",
		"too short secret": "abc",
		"empty":            "",
		"dotted order":     "INVOICES.20250101.00000007",
		"name of a field":  "customer.first_name: too long",
	}
	for name, text := range keep {
		if got := s.Text(text); got != text {
			t.Errorf("%s: Text(%q) = %q, want it unchanged", name, text, got)
		}
	}
	quoted, _ := json.Marshal(token)
	remove := map[string]struct{ text, want string }{
		"token":                 {"x " + token + " y", "x [redacted] y"},
		"token in JSON":         {`{"t":` + string(quoted) + `}`, `{"t":"[redacted]"}`},
		"token in a URL":        {"/?t=tok%09en.with%2Fodd%2Bsigns%3D%3D&u", "/?t=[redacted]&u"},
		"key":                   {"bad key k3y-of-the-group.", "bad key [redacted]."},
		"key twice":             {"k3y-of-the-groupk3y-of-the-group", "[redacted]"},
		"JWT":                   {"a eyJhbGciOiJ.eyJzdWIiOiIx.SflKxwRJSMeK b", "a [redacted] b"},
		"JWT cut":               {"a eyJhbGciOiJIUz b", "a [redacted] b"},
		"bearer":                {"Authorization: Bearer abcdef123", "Authorization: [redacted] [redacted]"},
		"forty characters":      {"key 0123456789abcdef0123456789abcdef01234567!", "key [redacted]!"},
		"parameter":             {"GET /orders?api_key=abc&x=1", "GET /orders?api_key=[redacted]&x=1"},
		"member":                {`{"events_token": "a\"b", "x":1}`, `{"events_token": [redacted], "x":1}`},
		"member cut":            {`{"events_token":"abc`, `{"events_token":[redacted]`},
		"number":                {`{"cvc":123,"last4":1111}`, `{"cvc":[redacted],"last4":[redacted]}`},
		"object":                {`{"emv":{"a":"b"},"x":1}`, `{"emv":[redacted],"x":1}`},
		"card holder":           {`{"account_holder_name":"J. DOE","x":1}`, `{"account_holder_name":[redacted],"x":1}`},
		"card holder as object": {`{"cardholder":{"name":"J. DOE"},"x":1}`, `{"cardholder":[redacted],"x":1}`},
		"names":                 {`{"first_name":"J.", "last_name" : "DOE"}`, `{"first_name":[redacted], "last_name" : [redacted]}`},
		"names in escaped JSON": {`{\"last_name\":\"DOE\",\"x\":1}`, `{\"last_name\":[redacted]`},
		"account and expiry":    {`{"account_iban":"NL91ABNA0417164300","expiry_date":"9912"}`, `{"account_iban":[redacted],"expiry_date":[redacted]}`},
		"escaped JSON":          {`{\"api_key\":\"abc\",\"x\":1}`, `{\"api_key\":[redacted]`},
		"card":                  {"pay 4111111111111111 now", "pay [redacted] now"},
		"card with blanks":      {"pay 4111 1111 1111 1111 now", "pay [redacted] now"},
		"card with dashes":      {"pay 4111-1111-1111-1111 now", "pay [redacted] now"},
		"card with wide blanks": {"4111\u00a01111\u20091111\u20131111", "[redacted]"},
		"card in JSON":          {`{"n":"4111111111111111"}`, `{"n":"[redacted]"}`},
		"card as a number":      {`{"n":4111111111111111}`, `{"n":[redacted]}`},
		"card in more digits":   {"994111111111111111", "[redacted]"},
		"card in letters":       {"x4111111111111111y", "x[redacted]y"},
		"not UTF-8":             {"a\xffb", "a�b"},
		"several":               {"k3y-of-the-group and 4111111111111111", "[redacted] and [redacted]"},
	}
	for name, test := range remove {
		if got := s.Text(test.text); got != test.want {
			t.Errorf("%s: Text(%q)\n got %q\nwant %q", name, test.text, got, test.want)
		}
	}
	for _, card := range cardNumbersOfSchemes {
		if got := s.Text(card); got != "[redacted]" {
			t.Errorf("Text(%s) = %q, want it removed", card, got)
		}
	}
}

// TestScrubLongText: a secret that stands where the text is cut is not shown in part.
func TestScrubLongText(t *testing.T) {
	t.Parallel()
	token := strings.Repeat("T0k-", maxScrub/8)
	s := NewScrubber(NewSecret(token))
	for _, secret := range []string{"4111 1111 1111 1111", token} {
		for _, middle := range []int{maxScrub / 2, maxScrub} {
			for at := middle - 24; at < middle+8; at += 8 {
				got := s.Text(strings.Repeat(". ", at)[:at] + secret + " behind")
				if strings.Contains(got, "4111") || strings.Contains(got, "T0k-") {
					t.Errorf("secret at byte %d: %q", at, got[max(0, len(got)-60):])
				}
			}
		}
	}
}

func TestScrubLine(t *testing.T) {
	t.Parallel()
	var s Scrubber
	for _, test := range []struct {
		text  string
		limit int
		want  string
	}{
		{" a\r\nb\x00c\u2028d\u0085e ", 300, "a  b c d e"},
		{"äöüäöü", 6, "äöüäöü"},
		{"äöüäöüä", 6, "äöüäö…"},
		{strings.Repeat("a b ", 100_000), 300, strings.Repeat("a b ", 75)[:299] + "…"},
	} {
		if got := s.Line(test.text, test.limit); got != test.want {
			t.Errorf("Line(%.20q, %d) = %q, want %q", test.text, test.limit, got, test.want)
		}
	}
}

const maxLine = 300

// FuzzScrub: a card number, the stream's own token and an unknown JSON web
// token do not survive, whatever stands around them.
func FuzzScrub(f *testing.F) {
	f.Add("", "", uint64(0), uint8(0))
	f.Add(`{"order_id":"A1","status":"`, `","x":1}`, uint64(4111111111111111), uint8(1))
	f.Add("12", "34", uint64(555555555555444), uint8(2))
	f.Add("api_key=", "&a=b", uint64(1), uint8(3))
	f.Add("4111 1111 ", "1111-", uint64(99999999), uint8(4))
	f.Add("Bearer ", "\"", uint64(7), uint8(5))
	f.Add("eyJhbGciOiJIUzI1NiJ9.", ".x", uint64(7), uint8(6))
	f.Fuzz(func(t *testing.T, before, after string, number uint64, form uint8) {
		if len(before)+len(after) > 8<<10 {
			return
		}
		digits := withCheckDigit(fmt.Sprintf("%0*d", minCardDigits-1+int(form)%7, number)[:minCardDigits-1+int(form)%7])
		card := grouped(digits, form)
		token := fmt.Sprintf("t0k-%x\t%d", number, form)
		jwt := fmt.Sprintf("eyJh%012x.eyJi%012x.S1gn%012x", number, number^1, number^2)
		s := NewScrubber(NewSecret(token))
		for _, secret := range []string{card, token, jwt} {
			got := s.Text(before + secret + after)
			if strings.Contains(got, secret) {
				t.Errorf("%q survives in %q", secret, got)
			}
			if secret == card && strings.Contains(withoutGaps(got), digits) {
				t.Errorf("card number %q survives in %q", secret, got)
			}
			if !utf8.ValidString(got) {
				t.Errorf("not UTF-8: %q", got)
			}
			if again := s.Text(got); strings.Contains(again, secret) {
				t.Errorf("comes back: %q", again)
			}
			line := s.Line(before+secret+after, maxLine)
			if utf8.RuneCountInString(line) > maxLine || strings.ContainsAny(line, "\r\n\x00") {
				t.Errorf("not a line of %d characters: %q", maxLine, line)
			}
		}
	})
}

// withCheckDigit completes digits to a number that passes the Luhn check.
func withCheckDigit(s string) string {
	for c := byte('0'); c <= '9'; c++ {
		var d digits
		for _, v := range []byte(s + string(c)) {
			d = append(d, digit{value: v - '0'})
		}
		if d.luhn() {
			return s + string(c)
		}
	}
	panic("no check digit")
}

// grouped writes a card number the way people do.
func grouped(s string, form uint8) string {
	gap := []string{"", " ", "-", " - ", "\u00a0", ".", "\n"}[form%7]
	var b strings.Builder
	for i, c := range s {
		if i > 0 && i%4 == 0 {
			b.WriteString(gap)
		}
		b.WriteRune(c)
	}
	return b.String()
}

// withoutGaps removes what may stand between a card number's digits; the mark
// of what was removed stays in between.
func withoutGaps(s string) string {
	return strings.Map(func(r rune) rune {
		if isCardGap(r) {
			return -1
		}
		return r
	}, s)
}

// BenchmarkScrub removes what looks secret from an event's worth of text.
func BenchmarkScrub(b *testing.B) {
	s := NewScrubber(NewSecret("token-of-the-stream"), NewSecret("key-of-the-group"))
	text := `{"financial_status":"initialized","order_id":"example_order_id","session_id":"d5MrwfDyPY36t8XAb2aMh5s6nH1XHOwqrOA00Ei","card":"4111 1111 1111 1111"}`
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		_ = s.Text(text)
	}
}
