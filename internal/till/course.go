package till

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/schema"
)

// starting is what the live line shows before there is a status.
const starting = "starting"

// course shows how a payment goes on. It belongs to one goroutine.
type course struct {
	till    *Till
	screen  *Screen
	request schema.StartRequest
	// settle, json and now are as in Payment.
	settle time.Duration
	json   bool
	now    func() time.Time

	began time.Time
	frame int

	status string // the last one, for the live line
	// again: an earlier, equal request may have reached the bridge.
	again   bool
	trouble string // the last that was told, so that it is told once
	// retryTold is when a retry was told last, in time since the first attempt.
	retryTold time.Duration
	// ending is set from the final status on.
	ending *ending
}

// ending is the end of a payment, as far as it is known.
type ending struct {
	meaning
	amount, transaction string
	// last: nothing can follow.
	last bool
}

func (c *course) opening() {
	if c.json {
		return
	}
	r := c.request
	c.screen.Line(fmt.Sprintf("Payment %s: %s on terminal %s", r.OrderID, FormatAmount(r.Amount, r.Currency), r.TerminalID))
}

func (c *course) draw(interrupted bool) {
	if c.json || !c.screen.Live() {
		return
	}
	frames := []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
	hint := "Ctrl-C cancels the payment"
	switch {
	case c.ending != nil:
		hint = "it may be reversed at once; Ctrl-C does not wait for that"
	case interrupted:
		hint = "Ctrl-C leaves the payment"
	}
	c.screen.Draw(fmt.Sprintf("%c %6s  %s  %s", frames[c.frame%len(frames)], c.elapsed(), Printable(c.status, 20), c.screen.dim("("+hint+")")))
}

func (c *course) elapsed() string { return formatElapsed(c.now().Sub(c.began)) }

// line is one step of the course.
func (c *course) line(step string, m mood, text string) {
	step = Printable(step, 40)
	pad := strings.Repeat(" ", max(0, 11-len([]rune(step))))
	c.screen.Line(fmt.Sprintf("%7s  %s%s  %s", c.elapsed(), c.screen.paint(m, step), pad, text))
}

// answered shows how the start ended.
func (c *course) answered(payment *client.Payment) {
	reply, body := payment.Reply()
	doubt := payment.Doubt()
	refused, _ := errors.AsType[*client.Error](doubt)
	switch {
	case body != nil && c.json:
		c.screen.JSON(body)
	case body != nil && (reply.Created || c.again):
		c.line("accepted", plain, "the order is at MultiSafepay, the terminal asks for the card")
	case body != nil:
		c.line("known", warning, "this payment was started before and is not started again")
	case refused != nil:
		if c.json {
			c.screen.JSON(refused.Body)
		}
		c.screen.Note("the bridge does not know yet whether the order exists: " + Printable(refused.Reply.Message, maxShown))
		c.screen.Note("it is followed; to ask again is safe: " + c.askAgain())
	case doubt != nil:
		c.screen.Note(Describe(doubt))
		c.screen.Note("whether the payment began is not known yet; to ask again is safe: " + c.askAgain())
	default:
		c.screen.Note("the bridge's answer was lost; the payment is under way")
	}
	if c.status == starting && body != nil {
		c.status = reply.Status
	}
}

// note shows what is told beside the statuses.
func (c *course) note(update client.Update) {
	switch u := update.(type) {
	case client.Invalid:
		if c.json {
			c.screen.JSON(u.Body)
			return
		}
		c.screen.Note("the provider sent an event that the bridge does not understand: " + Printable(u.Reason, maxShown))
	case client.Link:
		c.screen.Note(linkText(u))
	case client.Retry:
		c.again = c.again || errors.Is(u.Err, client.ErrNoReply) || errors.Is(u.Err, client.ErrShuttingDown)
		if !errors.Is(u.Err, client.ErrAway) { // the link's own update tells
			c.retried(u)
		}
	case client.Trouble:
		c.told(Describe(u.Err))
	}
}

// retryEvery is how often the same reason for a retry is told.
const retryEvery = 8 * time.Second

// retried tells why there is no result yet, for how long, and what comes next: when that
// changes, and from time to time.
func (c *course) retried(r client.Retry) {
	reason := fmt.Sprint(Describe(r.Err), r.Listening)
	if reason == c.trouble && r.Elapsed-c.retryTold < retryEvery {
		return
	}
	c.trouble, c.retryTold = reason, r.Elapsed
	c.screen.Note(fmt.Sprintf("%s (attempt %d, %s so far); %s", Describe(r.Err), r.Try, r.Elapsed.Round(time.Second), r.Next()))
}

// told notes a trouble, unless it was the last one.
func (c *course) told(trouble string) {
	if trouble != c.trouble {
		c.trouble = trouble
		c.screen.Note(trouble)
	}
}

// changed shows a status.
func (c *course) changed(s client.Status) {
	if s.Missed > 0 {
		c.screen.Note(missed(s))
	}
	repeated := c.status == s.Status
	c.status = s.Status
	c.trouble = ""
	m := meaningOf(s.Status, s.Final)
	if c.json {
		c.screen.JSON(s.Body)
	} else {
		text := m.Means
		if repeated && s.AmountCharged != 0 {
			text += ", " + FormatAmount(s.AmountCharged, c.request.Currency)
		}
		if s.Source == schema.SourceReconcile {
			text += c.screen.dim(" (learnt by asking)")
		}
		c.line(s.Status, m.mood, text)
	}
	if !s.Final {
		return
	}
	c.ending = &ending{
		meaning: m, amount: paidAmount(c.request.Amount, s.AmountCharged, c.request.Currency),
		last: s.Status == schema.StatusUnresolved || s.Status == schema.StatusNotCreated,
	}
	if s.TransactionID != "" {
		c.ending.transaction = ", transaction " + Printable(s.TransactionID, 50)
	}
}

// paidAmount is the amount of a payment, with the one that was asked for if that is another.
func paidAmount(asked, paid int64, currency string) string {
	text := charged(asked, paid, currency)
	if paid != 0 && paid != asked {
		text += " (" + FormatAmount(asked, currency) + " was asked for)"
	}
	return text
}

func (c *course) cancelAnswered(err error) {
	if err != nil {
		err = c.till.named(err)
		c.screen.Note(strings.Join(append([]string{"not cancelled: " + Describe(err)}, c.screen.Advice(err, c.request.TerminalID, c.request.OrderID)...), "\n  "))
	}
}

// conclude shows how the payment ended, and if that was waited for long enough.
func (c *course) conclude() Outcome {
	if c.settle <= 0 && !c.ending.last {
		c.unsettled()
	}
	return c.verdict()
}

func (c *course) unsettled() {
	c.screen.Note("not waited for what may follow at once, such as a reversal; look again with\n  " +
		c.screen.command("sessions --terminal %s --order %s", c.request.TerminalID, c.request.OrderID))
}

func (c *course) verdict() Outcome {
	e := c.ending
	if c.json {
		return e.outcome
	}
	verdict := "Not known whether paid: "
	switch e.outcome {
	case OutcomePaid:
		verdict = "Paid: "
	case OutcomeNotPaid:
		verdict = "Not paid: "
	}
	c.screen.Line(c.screen.paint(e.mood, verdict+e.amount) + e.transaction)
	return e.outcome
}

// leave ends the command, not the payment, and says why.
func (c *course) leave(why string, pending bool) Outcome {
	if c.ending != nil {
		if !c.ending.last {
			c.unsettled()
		}
		return c.verdict()
	}
	if pending {
		c.screen.Note("left before the bridge answered; the payment may begin")
	}
	c.screen.Note(why + c.goesOn())
	return OutcomeUnknown
}

// broken ends the command when the payment is no longer followed.
func (c *course) broken(err error) Outcome {
	switch {
	case errors.Is(err, client.ErrNotFound):
		c.screen.Note("the bridge does not know the order: no payment is under way as far as it knows")
		c.screen.Note("to ask again is safe: " + c.askAgain())
		return OutcomeUnknown
	case errors.Is(err, client.ErrClosed):
		return c.leave(Describe(err)+"; ", false)
	}
	return c.leave("left; ", false) // the context's end
}

func (c *course) goesOn() string {
	terminal, order := c.request.TerminalID, c.request.OrderID
	return "the payment goes on; follow it with\n  " + c.screen.command("watch --terminal %s --order %s --since 1h", terminal, order) +
		"\nor look with\n  " + c.screen.command("sessions --terminal %s --order %s", terminal, order)
}

// askAgain is the command line that asks for the same payment.
func (c *course) askAgain() string {
	return "the same command with --order " + c.request.OrderID
}
