package orders

import (
	"fmt"
	"strings"

	"golang.org/x/text/currency"

	"github.com/posbridge/bridge/schema"
)

// IsCurrency accepts the ISO 4217 codes, in capitals as the standard has them.
func IsCurrency(code string) bool {
	if code != strings.ToUpper(code) {
		return false
	}
	_, err := currency.ParseISO(code)
	return err == nil
}

// DigitsOf is how many digits of an amount stand behind the point.
func DigitsOf(code string) int {
	if digits, ok := schema.CurrencyDigits(code); ok {
		return digits
	}
	return 2 // a code that is no longer active
}

// money writes an amount for people.
func money(amount int64, code string) string {
	digits := DigitsOf(code)
	text := fmt.Sprintf("%0*d", digits+1, amount)
	whole, decimals := text[:len(text)-digits], text[len(text)-digits:]
	if digits == 0 {
		return whole + " " + code
	}
	return whole + "." + decimals + " " + code
}
