package till_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/posbridge/bridge/internal/till"
	"github.com/posbridge/bridge/schema"
)

func TestParseAmount(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text, currency string
		want           int64 // 0: refused
	}{
		{"12.50", "EUR", 1250},
		{"12.5", "EUR", 1250},
		{"12", "EUR", 1200},
		{"0.01", "EUR", 1},
		{"0012.50", "EUR", 1250},
		{"9999999.99", "EUR", 999999999},
		{"1200", "JPY", 1200},
		{"1.234", "KWD", 1234},
		{"1.2", "KWD", 1200},
		{"0.0001", "CLF", 1},

		{"12.505", "EUR", 0},
		{"12.500", "EUR", 0},
		{"12.5", "JPY", 0},
		{"12.0", "JPY", 0},
		{"1.2345", "KWD", 0},
		{"0", "EUR", 0},
		{"0.00", "EUR", 0},
		{"10000000", "EUR", 0},
		{"99999999999999999999999999", "EUR", 0},
		{"-1", "EUR", 0},
		{"+1", "EUR", 0},
		{"12,50", "EUR", 0},
		{"1.000,50", "EUR", 0},
		{"1 000", "EUR", 0},
		{"12.", "EUR", 0},
		{".50", "EUR", 0},
		{"1.2.3", "EUR", 0},
		{"1e3", "EUR", 0},
		{"0x10", "EUR", 0},
		{"١٢", "EUR", 0},
		{"", "EUR", 0},
		{" 12", "EUR", 0},
		{"12.50", "eur", 0},
		{"12.50", "XXX", 0},
		{"12.50", "", 0},
	} {
		t.Run(test.text+" "+test.currency, func(t *testing.T) {
			t.Parallel()
			got, err := till.ParseAmount(test.text, test.currency)
			if got != test.want || (err == nil) != (test.want != 0) {
				t.Errorf("got %d, %v, want %d", got, err, test.want)
			}
			if err != nil && !errors.Is(err, till.ErrAmount) {
				t.Errorf("got error %v, want one that wraps ErrAmount", err)
			}
		})
	}
}

func TestParseAmountSaysWhatItTakes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, currency, want string }{
		{"12,50", "EUR", `amount must be digits with a point before the decimals, such as 12.50; got "12,50"`},
		{"12.505", "EUR", `amount: EUR has 2 decimals; got "12.505"`},
		{"12.50", "JPY", `amount: JPY has no decimals; got "12.50"`},
		{"0", "EUR", `amount must be 0.01 EUR to 9999999.99 EUR; got "0"`},
		{"x\x1b[2J", "KWD", "amount must be digits with a point before the decimals, such as 12.500; got \"x\uFFFD[2J\""},
		{"1", "ABC", `amount: "ABC" is not a currency: it must be an ISO 4217 code such as EUR`},
	} {
		_, err := till.ParseAmount(test.text, test.currency)
		if err == nil || err.Error() != test.want {
			t.Errorf("%q %s: got %v, want %s", test.text, test.currency, err, test.want)
		}
	}
}

func TestFormatAmount(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		amount   int64
		currency string
		want     string
	}{
		{1250, "EUR", "12.50 EUR"},
		{5, "EUR", "0.05 EUR"},
		{0, "EUR", "0.00 EUR"},
		{-1250, "EUR", "-12.50 EUR"},
		{1200, "JPY", "1200 JPY"},
		{1234, "KWD", "1.234 KWD"},
		{7, "KWD", "0.007 KWD"},
		{12, "\x1b[2J", "12 of the smallest unit of \"\uFFFD[2J\""},
	} {
		if got := till.FormatAmount(test.amount, test.currency); got != test.want {
			t.Errorf("%d %q: got %q, want %q", test.amount, test.currency, got, test.want)
		}
	}
}

// What is shown can be typed in again, for every currency.
func FuzzAmount(f *testing.F) {
	f.Add(int64(1250), "12.50")
	f.Add(int64(1), "0")
	f.Add(int64(999999999), "9999999.99")
	f.Fuzz(func(t *testing.T, amount int64, text string) {
		for _, currency := range []string{"EUR", "JPY", "KWD", "CLF"} {
			if amount >= 1 && amount <= 999999999 {
				shown, _, _ := strings.Cut(till.FormatAmount(amount, currency), " ")
				if got, err := till.ParseAmount(shown, currency); err != nil || got != amount {
					t.Errorf("%s %s: got %d, %v, want %d", shown, currency, got, err, amount)
				}
			}
			got, err := till.ParseAmount(text, currency)
			if err != nil {
				continue
			}
			// Exact: the number that was typed is the number that is meant.
			digits, _ := schema.CurrencyDigits(currency)
			whole, decimals, _ := strings.Cut(text, ".")
			decimals += strings.Repeat("0", digits-len(decimals))
			if want := strings.TrimLeft(whole+decimals, "0"); strconv.FormatInt(got, 10) != want {
				t.Errorf("%q %s: got %d, want %s", text, currency, got, want)
			}
		}
	})
}
