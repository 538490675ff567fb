package till

import (
	"time"

	"github.com/posbridge/bridge/schema"
)

// ending is the end of a payment, as far as it is known.
type ending struct {
	meaning
	amount, transaction string
}

// mayChange reports whether something can follow the status.
func mayChange(status string) bool {
	return status != schema.StatusUnresolved && status != schema.StatusNotCreated
}

// end notes a final status. over is true if nothing is waited for after it.
func (c *course) end(e ending, status string) (over bool) {
	c.ending = &e
	if c.Settle <= 0 || !mayChange(status) {
		c.settled = !mayChange(status)
		return true
	}
	if c.settle == nil {
		c.settle = time.NewTimer(c.Settle)
	} else {
		c.settle.Reset(c.Settle)
	}
	return false
}

// settling carries the end of the wait after the end of the payment.
func (c *course) settling() <-chan time.Time {
	if c.settle == nil {
		return nil
	}
	return c.settle.C
}

// conclude shows how the payment ended, and whether that was waited for long enough.
func (c *course) conclude() Outcome {
	e := c.ending
	if c.settle != nil {
		c.settle.Stop()
	}
	if !c.settled {
		c.Screen.Note("not waited for what may follow at once, such as a reversal; look again with\n  pos-bridge sessions --terminal " +
			c.Request.TerminalID + " --order " + c.Request.OrderID)
	}
	if c.JSON {
		return e.outcome
	}
	verdict := "Not known whether paid: "
	switch e.outcome {
	case OutcomePaid:
		verdict = "Paid: "
	case OutcomeNotPaid:
		verdict = "Not paid: "
	}
	c.Screen.Line(c.Screen.paint(e.mood, verdict+e.amount) + e.transaction)
	return e.outcome
}

// paidAmount is the amount of a payment, with the one that was asked for if that is another.
func paidAmount(asked, paid int64, currency string) string {
	text := charged(asked, paid, currency)
	if paid != 0 && paid != asked {
		text += " (" + FormatAmount(asked, currency) + " was asked for)"
	}
	return text
}
