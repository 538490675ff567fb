package schema

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
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
	notificationURLForm = regexp.MustCompile(`^(https://[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9._:/-]*)?)?$`)
)

// What each kind of field must be, in the words of a refusal.
const (
	orderWanted           = "1 to 50 characters of A-Z a-z 0-9 . _ / -"
	terminalWanted        = "1 to 36 characters of A-Z a-z 0-9 _ -"
	amountWanted          = "an integer from 1 to 999999999, in the currency's smallest unit"
	currencyWanted        = "an active ISO 4217 code in capitals, such as EUR"
	localeWanted          = "a language and a country, such as nl_NL"
	notificationURLWanted = "an https:// URL without port and query, of A-Z a-z 0-9 - _ . : / only, since the provider calls no other"
)

// Check reports the first field that a bridge would refuse, as an *Error with
// InvalidRequest. Its message names the field, what it must be, and what it is
// like instead. It never shows the value, which may be anything, a card number too.
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
	if err := checkCurrency(r.Currency); err != nil {
		return err
	}
	if err := checkLength("description", r.Description, MaxDescription); err != nil {
		return err
	}
	if err := r.Customer.check(); err != nil {
		return err
	}
	if err := checkLength("notification_url", r.NotificationURL, MaxNotificationURL); err != nil {
		return err
	}
	if shape := notificationURLShape(r.NotificationURL); shape != "" {
		return refuse("notification_url", shape, notificationURLWanted)
	}
	return r.CustomInfo.check()
}

func (c *Customer) check() error {
	if c == nil {
		return nil
	}
	if !localeForm.MatchString(c.Locale) {
		return refuse("customer.locale", stringShape(c.Locale, isLocaleChar), localeWanted)
	}
	return cmp.Or(
		checkLength("customer.email", c.Email, MaxEmail),
		checkLength("customer.phone", c.Phone, MaxPhone),
		checkLength("customer.first_name", c.FirstName, MaxName),
		checkLength("customer.last_name", c.LastName, MaxName),
	)
}

func (c *CustomInfo) check() error {
	if c == nil {
		return nil
	}
	return cmp.Or(
		checkLength("custom_info.custom_1", c.Custom1, MaxCustomInfo),
		checkLength("custom_info.custom_2", c.Custom2, MaxCustomInfo),
		checkLength("custom_info.custom_3", c.Custom3, MaxCustomInfo),
	)
}

// Check reports the first field that a bridge would refuse, as StartRequest's
// Check does.
func (r OrderRequest) Check() error { return checkIDs(r.TerminalID, r.OrderID) }

func checkIDs(terminal, order string) error {
	if subjects.CheckOrder(order) != nil {
		return refuse("order_id", stringShape(order, isOrderChar), orderWanted)
	}
	return checkTerminal(terminal)
}

func checkTerminal(terminal string) error {
	if subjects.CheckTerminal(terminal) != nil {
		return refuse("terminal_id", stringShape(terminal, isTerminalChar), terminalWanted)
	}
	return nil
}

func checkCurrency(code string) error {
	capitals := strings.ToUpper(code)
	switch {
	case CurrencyKnown(code):
		return nil
	case CurrencyKnown(capitals):
		return NewError(InvalidRequest, "currency must be capitals: %s", capitals)
	}
	return refuse("currency", stringShape(code, isCapital), currencyWanted)
}

func checkLength(field, value string, limit int) error {
	if !utf8.ValidString(value) {
		return refuse(field, "a string that is not UTF-8", fmt.Sprintf("at most %d characters", limit))
	}
	if n := utf8.RuneCountInString(value); n > limit {
		return refuse(field, strconv.Itoa(n), fmt.Sprintf("at most %d characters", limit))
	}
	return nil
}

// CheckNotificationURL reports why the provider would never call the URL. The
// error's message is what the URL must be and what it is like instead; it never
// shows the URL. An empty URL is accepted.
func CheckNotificationURL(value string) error {
	if n := utf8.RuneCountInString(value); n > MaxNotificationURL {
		return fmt.Errorf("must be at most %d characters; got %d", MaxNotificationURL, n)
	}
	if shape := notificationURLShape(value); shape != "" {
		return fmt.Errorf("must be %s; got %s", notificationURLWanted, shape)
	}
	return nil
}

// notificationURLShape says what makes a URL one that the provider never calls.
// It is empty for a URL that it does call, and for none.
func notificationURLShape(value string) string {
	if notificationURLForm.MatchString(value) {
		return ""
	}
	rest, ok := strings.CutPrefix(value, "https://")
	if !ok {
		if scheme, _, found := strings.Cut(value, "://"); found && strings.EqualFold(scheme, "http") {
			return "http://"
		}
		return "a string that does not begin with https://"
	}
	host, _, _ := strings.Cut(rest, "/")
	switch {
	case strings.Contains(rest, "?"):
		return "a query"
	case strings.Contains(host, "@"):
		return "a user name"
	case strings.Contains(host, ":"):
		return "a port"
	case host == "" || !isTerminalChar(rune(host[0])):
		return "no host name"
	}
	return stringShape(value, isURLChar)
}

// missing is the shape of a field that is not there, or is empty.
const missing = ""

// refuse is the error of one field: what it must be, and what it is like instead.
func refuse(field, shape, want string) *Error {
	if shape == missing {
		return NewError(InvalidRequest, "%s is missing; it must be %s", field, want)
	}
	return NewError(InvalidRequest, "%s must be %s; got %s", field, want, shape)
}

func amountShape(amount int64) string {
	switch {
	case amount == 0:
		return "0, or it is missing"
	case amount < 0:
		return "a negative number"
	}
	return "a number above 999999999"
}

// stringShape says what a string is like without showing it: that it is missing,
// how long it is, or which character is the first that it must not contain.
func stringShape(value string, accepted func(rune) bool) string {
	if value == "" {
		return missing
	}
	position := 0
	for _, c := range value {
		position++
		if !accepted(c) {
			return fmt.Sprintf("a string whose character %d is %s", position, charShape(c))
		}
	}
	return fmt.Sprintf("a string of %d characters", position)
}

func charShape(c rune) string {
	switch {
	case c == ' ':
		return "a space"
	case c == utf8.RuneError:
		return "not UTF-8"
	case c < ' ' || 0x7f <= c && c < 0xa0:
		return "a control character"
	case c > 0x7e:
		return "not ASCII"
	case '0' <= c && c <= '9':
		return "a digit"
	case 'a' <= c && c <= 'z':
		return "a lower-case letter"
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

func isURLChar(c rune) bool { return isOrderChar(c) || c == ':' }
