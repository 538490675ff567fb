package simulator

import (
	"fmt"
	"strings"

	"golang.org/x/text/currency"

	"github.com/posbridge/bridge/schema"
)

// isCurrency accepts the ISO 4217 codes, in capitals as the standard has them.
func isCurrency(code string) bool {
	if code != strings.ToUpper(code) {
		return false
	}
	_, err := currency.ParseISO(code)
	return err == nil
}

// digitsOf is how many digits of an amount stand behind the point.
func digitsOf(code string) int {
	if digits, ok := schema.CurrencyDigits(code); ok {
		return digits
	}
	return 2 // a code that is no longer active
}

// money writes an amount for people.
func money(amount int64, code string) string {
	digits := digitsOf(code)
	text := fmt.Sprintf("%0*d", digits+1, amount)
	whole, decimals := text[:len(text)-digits], text[len(text)-digits:]
	if digits == 0 {
		return whole + " " + code
	}
	return whole + "." + decimals + " " + code
}
