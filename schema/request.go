package schema

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/posbridge/bridge/subjects"
)

// Limits of a start request, in characters unless said otherwise.
const (
	// MinAmount and MaxAmount are in the currency's smallest unit.
	MinAmount = 1
	MaxAmount = 999_999_999

	MaxDescription     = 200
	MaxEmail           = 64
	MaxPhone           = 25
	MaxName            = 100 // of a first and of a last name
	MaxNotificationURL = 150
	MaxCustomInfo      = 500 // of each
)

// Forms of the texts that must have one, as the JSON Schema has them.
var (
	localeForm          = regexp.MustCompile(`^([a-z]{2}_[A-Z]{2})?$`)
	notificationURLForm = regexp.MustCompile(`^(https?://[A-Za-z0-9\[][!-~]*)?$`)
)

// Check reports the first field that a bridge would refuse, as an *Error with
// InvalidRequest. Its message names the field, what shape its value has (never
// the value, which may be anything, a card number too) and what is accepted.
//
// It judges the request as it is to be carried out: a terminal that the subject
// named has been filled in, so TerminalID must be there.
func (r StartRequest) Check() error {
	if err := checkIDs(r.TerminalID, r.OrderID); err != nil {
		return err
	}
	if r.Amount < MinAmount || r.Amount > MaxAmount {
		return refuse("amount", amountShape(r.Amount), amountWanted)
	}
	if !CurrencyKnown(r.Currency) {
		return refuse("currency", textShape(r.Currency, isCapital), "an active ISO 4217 code in capitals, like EUR")
	}
	if err := checkLength("description", r.Description, MaxDescription); err != nil {
		return err
	}
	if c := r.Customer; c != nil {
		if !localeForm.MatchString(c.Locale) {
			return refuse("customer.locale", textShape(c.Locale, isLocaleChar), "language and country, like nl_NL")
		}
		for _, f := range []struct {
			name, value string
			limit       int
		}{
			{"customer.email", c.Email, MaxEmail},
			{"customer.phone", c.Phone, MaxPhone},
			{"customer.first_name", c.FirstName, MaxName},
			{"customer.last_name", c.LastName, MaxName},
		} {
			if err := checkLength(f.name, f.value, f.limit); err != nil {
				return err
			}
		}
	}
	if err := checkLength("notification_url", r.NotificationURL, MaxNotificationURL); err != nil {
		return err
	}
	if !notificationURLForm.MatchString(r.NotificationURL) {
		return refuse("notification_url", textShape(r.NotificationURL, isURLChar), "an http:// or https:// URL in ASCII")
	}
	if c := r.CustomInfo; c != nil {
		for i, value := range []string{c.Custom1, c.Custom2, c.Custom3} {
			if err := checkLength(fmt.Sprintf("custom_info.custom_%d", i+1), value, MaxCustomInfo); err != nil {
				return err
			}
		}
	}
	return nil
}

// Check reports the first field that a bridge would refuse, as StartRequest's
// Check does.
func (r OrderRequest) Check() error { return checkIDs(r.TerminalID, r.OrderID) }

func checkIDs(terminal, order string) error {
	if subjects.CheckOrder(order) != nil {
		return refuse("order_id", textShape(order, isOrderChar), "1 to 50 characters of A-Z a-z 0-9 . _ / -")
	}
	return checkTerminal(terminal)
}

func checkTerminal(terminal string) error {
	if subjects.CheckTerminal(terminal) != nil {
		return refuse("terminal_id", textShape(terminal, isTerminalChar), "1 to 32 characters of A-Z a-z 0-9 _ -")
	}
	return nil
}

func checkLength(field, value string, limit int) error {
	if !utf8.ValidString(value) {
		return refuse(field, "a text that is not UTF-8", fmt.Sprintf("at most %d characters", limit))
	}
	if n := utf8.RuneCountInString(value); n > limit {
		return refuse(field, fmt.Sprintf("%d characters", n), fmt.Sprintf("at most %d", limit))
	}
	return nil
}

// amountWanted is what every refusal of an amount asks for.
const amountWanted = "an integer from 1 to 999999999, in the currency's smallest unit"

// refuse is the error of one field: what its value is like, and what is wanted.
func refuse(field, shape, want string) *Error {
	return NewError(InvalidRequest, "%s: got %s; want %s", field, shape, want)
}

func amountShape(amount int64) string {
	switch {
	case amount == 0:
		return "0, or none"
	case amount < 0:
		return "a negative number"
	}
	return "a number above 999999999"
}

// textShape says what a text is like without showing it: that it is missing,
// how long it is, and which character is the first that may not stand in it.
func textShape(text string, accepted func(rune) bool) string {
	if text == "" {
		return "nothing"
	}
	length := fmt.Sprintf("%d characters", utf8.RuneCountInString(text))
	if length == "1 characters" {
		length = "1 character"
	}
	position := 0
	for _, c := range text {
		position++
		if !accepted(c) {
			return fmt.Sprintf("%s, of which number %d is %s", length, position, charShape(c))
		}
	}
	return length
}

func charShape(c rune) string {
	switch {
	case c == ' ':
		return "a blank"
	case c == utf8.RuneError:
		return "no character at all"
	case c < ' ' || 0x7f <= c && c < 0xa0:
		return "a control character"
	case c > 0x7e:
		return "not ASCII"
	case '0' <= c && c <= '9':
		return "a digit"
	case 'a' <= c && c <= 'z':
		return "a small letter"
	case 'A' <= c && c <= 'Z':
		return "a capital"
	}
	return fmt.Sprintf("%q", c)
}

func isCapital(c rune) bool { return 'A' <= c && c <= 'Z' }

func isLocaleChar(c rune) bool { return isCapital(c) || 'a' <= c && c <= 'z' || c == '_' }

func isTerminalChar(c rune) bool {
	return isLocaleChar(c) || '0' <= c && c <= '9' || c == '-'
}

func isOrderChar(c rune) bool { return isTerminalChar(c) || strings.ContainsRune("./", c) }

func isURLChar(c rune) bool { return '!' <= c && c <= '~' }
