package till

import (
	"context"
	"fmt"

	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// Cancellation cancels a payment and shows what the bridge says to it.
type Cancellation struct {
	Till            *Till
	Screen          *Screen
	Terminal, Order string
	// JSON writes the bridge's reply as one line instead of words.
	JSON bool
}

// Run asks for the cancellation, shows the order's status, and returns what it says
// about the money: schema.Unpaid when nothing is charged. After client.ErrNoReply it is not
// known whether the order is cancelled; to ask again is safe.
func (c Cancellation) Run(ctx context.Context) (schema.Verdict, error) {
	reply, body, err := askOrder[schema.CancelReply](ctx, c.Till, subjects.Cancel, c.Terminal, c.Order)
	if err != nil {
		return schema.Verdict{}, err
	}
	m := meaningOf(reply.Status, schema.IsFinal(reply.Status))
	if c.JSON {
		c.Screen.JSON(body)
		return m.Verdict, c.Screen.Err()
	}
	status := c.Screen.paint(m.mood, Printable(reply.Status, 40))
	c.Screen.Line(fmt.Sprintf("order %s on terminal %s: %s: %s", c.Order, c.Terminal, status, m.Means))
	return m.Verdict, c.Screen.Err()
}
