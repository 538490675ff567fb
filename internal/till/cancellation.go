package till

import (
	"context"
	"fmt"

	"github.com/posbridge/bridge/schema"
)

// Cancellation cancels a payment and shows what the bridge says to it.
type Cancellation struct {
	Till            *Till
	Screen          *Screen
	Terminal, Order string
	// JSON writes the bridge's reply as one line instead of words.
	JSON bool
}

// Run asks for the cancellation and shows the order's status. After ErrNoReply
// it is not known whether the order is cancelled; to ask again is safe.
func (c Cancellation) Run(ctx context.Context) error {
	reply, body, err := c.Till.Cancel(ctx, c.Terminal, c.Order)
	if err != nil {
		return err
	}
	if c.JSON {
		c.Screen.JSON(body)
		return c.Screen.Err()
	}
	m := meaningOf(reply.Status, false)
	status := c.Screen.paint(m.mood, Printable(reply.Status, 40))
	text := m.text
	switch {
	case m.outcome == OutcomePaid:
		text += "; the payment was over, there is nothing to cancel"
	case m.outcome == OutcomeUnknown && reply.Status != schema.StatusUnresolved:
		text = "the cancellation is asked for; pos-bridge watch shows what becomes of it"
	}
	c.Screen.Line(fmt.Sprintf("order %s on terminal %s: %s: %s", c.Order, c.Terminal, status, text))
	return c.Screen.Err()
}
