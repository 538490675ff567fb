package till

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/posbridge/bridge/schema"
)

// ErrAmount is wrapped by every error of ParseAmount.
var ErrAmount = errors.New("amount")

// ParseAmount reads an amount in major units, "12.50", and returns it in the
// currency's smallest unit. It is exact: an amount with more decimals than the
// currency has is refused, never rounded.
func ParseAmount(text, currency string) (int64, error) {
	digits, ok := schema.CurrencyDigits(currency)
	if !ok {
		return 0, fmt.Errorf("%w: %q is not a currency: it must be an ISO 4217 code such as EUR", ErrAmount, Printable(currency, 10))
	}
	shown := Printable(text, 20)
	whole, decimals, point := strings.Cut(text, ".")
	if !onlyDigits(whole) || point && !onlyDigits(decimals) {
		return 0, fmt.Errorf("%w must be digits with a point before the decimals, such as %s; got %q", ErrAmount, example(digits), shown)
	}
	if len(decimals) > digits {
		if digits == 0 {
			return 0, fmt.Errorf("%w: %s has no decimals; got %q", ErrAmount, currency, shown)
		}
		return 0, fmt.Errorf("%w: %s has %d decimals; got %q", ErrAmount, currency, digits, shown)
	}
	smallest := strings.TrimLeft(whole+decimals+strings.Repeat("0", digits-len(decimals)), "0")
	amount, err := strconv.ParseInt("0"+smallest, 10, 64)
	if err != nil || amount < schema.MinAmount || amount > schema.MaxAmount {
		return 0, fmt.Errorf("%w must be %s to %s; got %q", ErrAmount, FormatAmount(schema.MinAmount, currency), FormatAmount(schema.MaxAmount, currency), shown)
	}
	return amount, nil
}

func example(digits int) string {
	if digits == 0 {
		return "12"
	}
	return "12." + "50000"[:digits]
}

func onlyDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// FormatAmount writes an amount that is given in the currency's smallest unit:
// "12.50 EUR". Of a currency that is not known it says so.
func FormatAmount(amount int64, currency string) string {
	digits, ok := schema.CurrencyDigits(currency)
	if !ok {
		return fmt.Sprintf("%d of the smallest unit of %q", amount, Printable(currency, 10))
	}
	sign := ""
	if amount < 0 {
		sign = "-"
	}
	text := strings.TrimPrefix(strconv.FormatInt(amount, 10), "-")
	if digits > 0 {
		if missing := digits + 1 - len(text); missing > 0 {
			text = strings.Repeat("0", missing) + text
		}
		text = text[:len(text)-digits] + "." + text[len(text)-digits:]
	}
	return sign + text + " " + currency
}

// charged is the amount that was charged, as far as it is known: with a tip it is more
// than was asked for, after a partial approval less.
func charged(asked, charged int64, currency string) string {
	if charged != 0 {
		asked = charged
	}
	return FormatAmount(asked, currency)
}
