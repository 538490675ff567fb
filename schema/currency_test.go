package schema

import (
	"regexp"
	"slices"
	"testing"

	"golang.org/x/text/currency"
)

func TestCurrencyDigits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		code   string
		digits int
		known  bool
	}{
		{"EUR", 2, true},
		{"USD", 2, true},
		{"JPY", 0, true},
		{"ISK", 0, true},
		{"KWD", 3, true},
		{"CLF", 4, true},
		{"XCG", 2, true},  // since 2025-03-31
		{"ZWG", 2, true},  // since 2024-09-01
		{"ANG", 0, false}, // until 2025
		{"BGN", 0, false}, // until 2025-12-31
		{"HRK", 0, false}, // until 2022
		{"DEM", 0, false},
		{"XXX", 0, false}, // no currency
		{"XTS", 0, false}, // for tests
		{"XAU", 0, false}, // gold has no smallest unit
		{"eur", 0, false},
		{"EU", 0, false},
		{"EURO", 0, false},
		{"", 0, false},
		{"ZZZ", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.code, func(t *testing.T) {
			t.Parallel()
			digits, known := CurrencyDigits(tt.code)
			if digits != tt.digits || known != tt.known {
				t.Errorf("got %d, %v, want %d, %v", digits, known, tt.digits, tt.known)
			}
			if got := CurrencyKnown(tt.code); got != tt.known {
				t.Errorf("known: got %v, want %v", got, tt.known)
			}
		})
	}
}

func TestCurrencies(t *testing.T) {
	t.Parallel()
	codes := Currencies()
	if !slices.IsSorted(codes) || len(slices.Compact(slices.Clone(codes))) != len(codes) {
		t.Error("not sorted, or a code stands twice")
	}
	if got := len(codes); got != 165 {
		t.Errorf("got %d codes, want 165: change this number with the list", got)
	}
	for _, code := range codes {
		if !regexp.MustCompile(`^[A-Z]{3}$`).MatchString(code) {
			t.Errorf("%q is no code", code)
		}
	}
}

// The list agrees with Unicode's, as far as both know a code. Unicode's own
// digits are what people round to, so they may be fewer than ISO's.
func TestCurrenciesAgainstUnicode(t *testing.T) {
	t.Parallel()
	var compared int
	for _, code := range Currencies() {
		unit, err := currency.ParseISO(code)
		if err != nil {
			continue // newer than the Unicode release of x/text
		}
		compared++
		scale, _ := currency.Standard.Rounding(unit)
		if digits, _ := CurrencyDigits(code); scale > digits {
			t.Errorf("%s: got %d digits, Unicode has %d", code, digits, scale)
		}
	}
	if compared < 150 {
		t.Errorf("compared only %d codes", compared)
	}
}
