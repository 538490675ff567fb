package till

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/schema"
)

// Payment starts a payment and shows its course until it is over.
type Payment struct {
	Till    *Till
	Screen  *Screen
	Request schema.StartRequest
	// Timeout is how long to wait for the end; longer than the bridge's
	// SESSION_TIMEOUT, so that the bridge's verdict is seen.
	Timeout time.Duration
	// Settle is how long to watch after a final status for what follows at once, such as
	// a reversal; the bridge's SETTLE_WINDOW. Zero: Run says that it did not.
	Settle time.Duration
	// JSON writes every message as a line instead of words.
	JSON bool
	// Interrupts carries the person's Ctrl-C: the first cancels the payment, the
	// second leaves it.
	Interrupts <-chan os.Signal
	// Now is the clock for elapsed times; time.Now if nil.
	Now func() time.Time
	// Every is FollowOptions.Every.
	Every time.Duration
}

// errStopped says that the person changed their mind in time.
var errStopped = errors.New("stopped before anything was started")

// drawEvery is how often the live line moves.
const drawEvery = 100 * time.Millisecond

// unknownLimit is how often the bridge must say that it does not know an order
// whose start was not confirmed, before that is believed.
const unknownLimit = 2

// Run subscribes, asks for the payment and returns when it is over, when it
// cannot be started, when the timeout has passed, or when it is left: by a
// second interrupt or the end of ctx. A payment that is left goes on. The error
// says why no payment was started; the outcome is OutcomeUnknown then.
func (p Payment) Run(ctx context.Context) (Outcome, error) {
	if p.Now == nil {
		p.Now = time.Now
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	following, err := p.Till.Follow(ctx, FollowOptions{
		Filter:    Filter{Terminal: p.Request.TerminalID, Order: p.Request.OrderID},
		FromStart: true,
		Every:     p.Every,
	})
	if err != nil {
		return OutcomeUnknown, err
	}
	select {
	case <-p.Interrupts:
		cancel()
		_ = following.Err() // it ends with ctx
		return OutcomeUnknown, errStopped
	default:
	}
	course := &course{
		Payment:   p,
		following: following,
		began:     p.Now(),
		status:    "starting",
		started:   make(chan startResult, 1),
		cancelled: make(chan error, 1),
	}
	outcome, err := course.run(ctx)
	p.Screen.Clear()
	cancel()
	course.tasks.Wait()
	_ = following.Err() // it ends with ctx
	return outcome, err
}

// course is a payment under way. It belongs to one goroutine.
type course struct {
	Payment
	following *Following
	tasks     sync.WaitGroup
	began     time.Time
	frame     int

	status string // the last one, for the live line
	// started gets the result of the start, cancelled that of a cancellation.
	started   chan startResult
	cancelled chan error
	// pending: the start is not answered. confirmed: it was answered well.
	pending, confirmed bool
	interrupts         int
	unknowns           int    // how often in a row the bridge did not know the order
	trouble            string // the last that was told, so that it is told once
	// ending is set from the final status on. settle runs after it, and settled says that
	// nothing more is to be waited for.
	ending  *ending
	settle  *time.Timer
	settled bool
}

type startResult struct {
	reply schema.StartReply
	body  []byte
	again bool // an earlier, equal request may have reached the bridge
	err   error
}

func (c *course) run(ctx context.Context) (Outcome, error) {
	timeout := time.NewTimer(c.Timeout)
	defer timeout.Stop()
	var frames <-chan time.Time
	if c.Screen.Live() && !c.JSON {
		ticker := time.NewTicker(drawEvery)
		defer ticker.Stop()
		frames = ticker.C
	}
	c.opening()
	c.pending = true
	c.tasks.Go(func() { c.started <- c.start(ctx) })
	for {
		c.draw()
		select {
		case <-frames:
			c.frame++
		case result := <-c.started:
			if err := c.answered(result); err != nil {
				return OutcomeUnknown, err
			}
			if c.interrupts == 1 {
				c.cancel(ctx)
			}
		case err := <-c.cancelled:
			c.cancelAnswered(err)
		case update, ok := <-c.following.Updates():
			if !ok {
				return c.broken(), nil
			}
			if c.update(update) {
				return c.leave(""), nil
			}
		case <-c.settling():
			c.settled = true
			return c.conclude(), nil
		case <-c.Interrupts:
			if c.interrupted(ctx) {
				return c.leave("left; "), nil
			}
		case <-timeout.C:
			return c.leave("no end within " + formatElapsed(c.Timeout) + "; "), nil
		case <-ctx.Done():
			return c.leave("left; "), nil
		}
	}
}

// interrupted takes a person's Ctrl-C. It reports whether that ends the command.
func (c *course) interrupted(ctx context.Context) bool {
	c.interrupts++
	switch {
	case c.ending != nil, c.interrupts > 1:
		return true
	case c.pending:
		c.Screen.Note("cancelling as soon as the bridge has answered; Ctrl-C again leaves")
	default:
		c.cancel(ctx)
	}
	return false
}

func (c *course) opening() {
	if c.JSON {
		return
	}
	r := c.Request
	c.Screen.Line(fmt.Sprintf("Payment %s: %s on terminal %s", r.OrderID, FormatAmount(r.Amount, r.Currency), r.TerminalID))
}

func (c *course) draw() {
	if c.JSON || !c.Screen.Live() {
		return
	}
	frames := []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
	hint := "Ctrl-C cancels the payment"
	switch {
	case c.ending != nil:
		hint = "it may be reversed at once; Ctrl-C does not wait for that"
	case c.interrupts > 0:
		hint = "Ctrl-C leaves the payment"
	}
	c.Screen.Draw(fmt.Sprintf("%c %6s  %s  %s", frames[c.frame%len(frames)], c.elapsed(), Printable(c.status, 20), c.Screen.dim("("+hint+")")))
}

func (c *course) elapsed() string { return formatElapsed(c.Now().Sub(c.began)) }

// line is one step of the course.
func (c *course) line(step string, m mood, text string) {
	step = Printable(step, 40)
	pad := strings.Repeat(" ", max(0, 11-len([]rune(step))))
	c.Screen.Line(fmt.Sprintf("%7s  %s%s  %s", c.elapsed(), c.Screen.paint(m, step), pad, text))
}

// start sends the request until it is answered or an answer is no longer to be
// expected. Sending it again is safe: it gets the same session.
func (c *course) start(ctx context.Context) (result startResult) {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, ErrNoReply)
	defer cancel()
	wait := time.NewTimer(time.Hour)
	defer wait.Stop()
	earlier := false // an earlier request may have reached the bridge
	for try := 0; ; try++ {
		reply, body, err := c.startOnce(ctx)
		result = startResult{reply: reply, body: body, again: earlier, err: err}
		var pause time.Duration
		refused, isRefused := errors.AsType[*RefusedError](err)
		_, nobody := errors.AsType[*NoBridgeError](err)
		switch {
		case errors.Is(err, ErrAway): // not sent
		case errors.Is(err, errLinkBack):
			earlier = true
		case isRefused && refused.Reply.Code == schema.ShuttingDown && try < 3: // another replica will do
			pause = 250 * time.Millisecond << try
		case nobody && earlier: // somebody was there a moment ago
			pause = time.Second
		default:
			return result
		}
		wait.Reset(pause)
		select {
		case <-wait.C:
		case <-ctx.Done():
			return result
		}
		if err := c.Till.waitConnected(ctx); err != nil {
			return result
		}
	}
}

// errLinkBack ends a request whose reply may have been lost with a connection
// that is back now.
var errLinkBack = errors.New("the connection was lost before the reply")

func (c *course) startOnce(ctx context.Context) (schema.StartReply, []byte, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	changes := c.Till.conn.StatusChanged(nats.CONNECTED)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-changes:
			cancel(errLinkBack)
		case <-ctx.Done():
		}
	}()
	reply, body, err := c.Till.Start(ctx, c.Request)
	cancel(nil)
	<-watched
	c.Till.conn.RemoveStatusListener(changes)
	return reply, body, err
}

// answered takes the start's result. The error ends the command: nothing was
// started.
func (c *course) answered(result startResult) error {
	c.pending = false
	refused, isRefused := errors.AsType[*RefusedError](result.err)
	switch {
	case result.err == nil:
		c.confirmed = true
		c.accepted(result)
		return nil
	case isRefused && refused.Reply.Code == schema.OutcomeUnknown:
		if c.JSON {
			c.Screen.JSON(refused.Body)
		}
		c.Screen.Note("the bridge does not know yet whether the order exists: " + Printable(refused.Reply.Message, maxShown))
		c.Screen.Note("it is followed; to ask again is safe: " + c.again())
		return nil
	case isRefused:
		return result.err
	case c.status != "starting": // a status was seen: the payment lives
		c.Screen.Note(Describe(result.err))
		return nil
	case errors.Is(result.err, ErrNoReply), errors.Is(result.err, errLinkBack), errors.Is(result.err, ErrBadReply), result.again:
		c.Screen.Note(Describe(result.err))
		c.Screen.Note("whether the payment began is not known yet; to ask again is safe: " + c.again())
		c.following.CatchUp()
		return nil
	}
	return result.err
}

// accepted shows the bridge's reply.
func (c *course) accepted(result startResult) {
	reply := result.reply
	if c.status == "starting" {
		c.status = reply.Status
	}
	if c.JSON {
		c.Screen.JSON(result.body)
	} else if reply.Created || result.again {
		c.line("accepted", plain, "the order is at MultiSafepay, the terminal asks for the card")
	} else {
		c.line("known", warning, "this payment was started before and is not started again")
	}
	if !reply.Created { // its events may all have been published already
		c.following.CatchUp()
	}
}

// update shows one update. It reports whether nothing more is to be waited for.
func (c *course) update(update Update) (over bool) {
	if _, unknown := update.(UnknownUpdate); !unknown {
		c.unknowns = 0
	}
	switch u := update.(type) {
	case StatusUpdate:
		return c.changed(u.StatusEvent, u.Body)
	case SessionUpdate:
		return c.changed(schema.StatusEvent{
			Status: u.Status, Final: u.Final, Source: schema.SourceReconcile,
			TransactionID: u.TransactionID, AmountCharged: u.AmountCharged,
		}, u.Body)
	case InvalidUpdate:
		if c.JSON {
			c.Screen.JSON(u.Body)
		} else {
			c.Screen.Note("the provider sent an event that the bridge does not understand: " + Printable(u.Reason, maxShown))
		}
	case MissedUpdate:
		c.Screen.Note(missed(u))
	case LinkUpdate:
		c.Screen.Note(linkText(u))
	case TroubleUpdate:
		if text := Describe(u.Err); text != c.trouble {
			c.trouble = text
			c.Screen.Note(text)
		}
	case UnknownUpdate:
		return c.unknown()
	}
	return false
}

// unknown takes that the bridge does not know the order. It reports whether that is to
// be believed.
func (c *course) unknown() bool {
	if c.pending || c.confirmed || c.status != "starting" {
		return false
	}
	c.unknowns++
	return c.unknowns >= unknownLimit
}

// changed shows a status. It reports whether nothing more is to be waited for.
func (c *course) changed(e schema.StatusEvent, body []byte) (over bool) {
	again := c.status == e.Status
	c.status = e.Status
	c.trouble = ""
	m := meaningOf(e.Status, e.Final)
	if c.JSON {
		c.Screen.JSON(body)
	} else {
		text := m.Means
		if again && e.AmountCharged != 0 {
			text += ", " + FormatAmount(e.AmountCharged, c.Request.Currency)
		}
		if e.Source == schema.SourceReconcile {
			text += c.Screen.dim(" (learnt by asking)")
		}
		c.line(e.Status, m.mood, text)
	}
	if !e.Final {
		return false
	}
	end := ending{meaning: m, amount: paidAmount(c.Request.Amount, e.AmountCharged, c.Request.Currency)}
	if e.TransactionID != "" {
		end.transaction = ", transaction " + Printable(e.TransactionID, 50)
	}
	return c.end(end, e.Status)
}

// cancel asks for the cancellation; its effect arrives as a status.
func (c *course) cancel(ctx context.Context) {
	c.Screen.Note("cancelling; Ctrl-C again leaves")
	c.tasks.Go(func() {
		_, _, err := c.Till.Cancel(ctx, c.Request.TerminalID, c.Request.OrderID)
		c.cancelled <- err
	})
}

func (c *course) cancelAnswered(err error) {
	if err != nil {
		c.Screen.Note(strings.Join(append([]string{"not cancelled: " + Describe(err)}, Advice(err, c.Request.TerminalID, c.Request.OrderID)...), "\n  "))
		return
	}
	c.following.CatchUp() // the order may have been over
}

// leave ends the command, not the payment, and says why.
func (c *course) leave(why string) Outcome {
	switch {
	case c.ending != nil:
		return c.conclude()
	case c.unknowns >= unknownLimit:
		c.Screen.Note("the bridge does not know the order: no payment is under way as far as it knows")
		c.Screen.Note("to ask again is safe: " + c.again())
		return OutcomeUnknown
	case c.pending:
		c.Screen.Note("left before the bridge answered; the payment may begin")
	}
	c.Screen.Note(why + c.goesOn())
	return OutcomeUnknown
}

// broken ends the command when the subscription has ended.
func (c *course) broken() Outcome {
	if err := c.following.Err(); errors.Is(err, ErrClosed) {
		return c.leave(Describe(err) + "; ")
	}
	return c.leave("left; ") // the context's end
}

func (c *course) goesOn() string {
	return fmt.Sprintf("the payment goes on; follow it with\n  pos-bridge watch --terminal %[1]s --order %[2]s --since 1h\nor look with\n  pos-bridge sessions --terminal %[1]s --order %[2]s",
		c.Request.TerminalID, c.Request.OrderID)
}

// again is the command line that asks for the same payment.
func (c *course) again() string {
	return "the same command with --order " + c.Request.OrderID
}
