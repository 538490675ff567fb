package till

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// receiptWidth is how many columns a receipt printer has.
const receiptWidth = 42

// Receipt shows what the provider has for a printed receipt of an order.
type Receipt struct {
	Till            *Till
	Screen          *Screen
	Terminal, Order string
	// JSON writes the bridge's reply as one line instead of the receipt.
	JSON bool
}

// Run asks for the receipt and shows it.
func (r Receipt) Run(ctx context.Context) error {
	reply, body, err := askOrder[schema.ReceiptReply](ctx, r.Till, subjects.Receipt, r.Terminal, r.Order)
	if err != nil {
		return err
	}
	if r.JSON {
		r.Screen.JSON(body)
		return r.Screen.Err()
	}
	for _, line := range receiptLines(reply) {
		r.Screen.Line(line)
	}
	return r.Screen.Err()
}

// receiptLines writes a receipt down, in lines of at most receiptWidth characters.
func receiptLines(reply schema.ReceiptReply) []string {
	var p paper
	merchant, order, payment := reply.Receipt.Merchant, reply.Receipt.Order, reply.Receipt.Payment
	amount := func(n int64) string { return FormatAmount(n, order.Currency) }
	p.centre(merchant.Name)
	p.centre(merchant.Address)
	p.rule()
	for _, item := range order.Items {
		name := item.Name
		if item.Quantity != "" && item.Quantity != "1" {
			name = item.Quantity + " x " + name
		}
		p.pair(name, amount(item.Price))
	}
	if len(order.Items) > 0 {
		p.rule()
	}
	if order.Tip > 0 {
		p.pair("Tip", amount(order.Tip))
	}
	p.pair("TOTAL", amount(order.Amount))
	if order.AmountRefunded > 0 {
		p.pair("Refunded", amount(-order.AmountRefunded))
	}
	p.rule()
	if payment.Last4 != "" {
		p.pair("Card", "**** **** **** "+payment.Last4)
	}
	p.named("Method", payment.Method)
	p.named("Entry", payment.EntryMode)
	p.named("Verification", payment.Verification)
	p.named("AID", payment.ApplicationID)
	p.named("Authorization", payment.AuthorizationCode)
	p.named("Response", payment.ResponseCode)
	p.named("Terminal", reply.TerminalID)
	p.named("Order", reply.OrderID)
	p.named("Transaction", order.TransactionID)
	p.named("Status", order.Status)
	p.named("Completed", order.Completed)
	for _, t := range reply.Receipt.Related {
		p.rule()
		p.pair(t.Type, FormatAmount(t.Amount, orElse(t.Currency, order.Currency)))
		p.named("Status", t.Status)
		p.named("Transaction", t.TransactionID)
		p.named("Created", t.Created)
	}
	p.rule()
	p.named("Printed", reply.Receipt.PrintedOn)
	return p.lines
}

func orElse(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

// paper is what a receipt is printed on.
type paper struct{ lines []string }

// centre prints text in the middle, nothing if it is empty.
func (p *paper) centre(text string) {
	for _, line := range wrap(text) {
		p.lines = append(p.lines, strings.Repeat(" ", (receiptWidth-utf8.RuneCountInString(line))/2)+line)
	}
}

func (p *paper) rule() { p.lines = append(p.lines, strings.Repeat("-", receiptWidth)) }

// named is pair, and nothing for an empty value.
func (p *paper) named(name, value string) {
	if value != "" {
		p.pair(name, value)
	}
}

// pair prints text at the left and a value at the right, on lines of their own if
// one has no room for both.
func (p *paper) pair(text, value string) {
	left, right := wrap(text), wrap(value)
	if len(left) > 0 && len(right) == 1 {
		last := left[len(left)-1]
		if room := receiptWidth - utf8.RuneCountInString(last) - utf8.RuneCountInString(right[0]); room > 0 {
			p.lines = append(append(p.lines, left[:len(left)-1]...), last+strings.Repeat(" ", room)+right[0])
			return
		}
	}
	p.lines = append(p.lines, left...)
	for _, line := range right {
		p.lines = append(p.lines, strings.Repeat(" ", receiptWidth-utf8.RuneCountInString(line))+line)
	}
}

// wrap breaks text into lines of at most receiptWidth characters, at blanks where
// that is possible.
func wrap(text string) []string {
	var lines []string
	for rest := []rune(strings.TrimSpace(Printable(text, maxShown))); len(rest) > 0; {
		n := min(len(rest), receiptWidth)
		if n < len(rest) {
			if blank := strings.LastIndexByte(string(rest[:n+1]), ' '); blank > 0 {
				n = utf8.RuneCountInString(string(rest[:n+1])[:blank])
			}
		}
		lines = append(lines, string(rest[:n]))
		rest = []rune(strings.TrimSpace(string(rest[n:])))
	}
	return lines
}
