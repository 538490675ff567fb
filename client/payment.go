package client

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

const (
	// unknownLimit is how often in a row the bridge must say that it does not know an
	// order whose start was not confirmed, before that is believed.
	unknownLimit = 3
	// clockSkew is how far this machine's clock may be from the bridge's.
	clockSkew = time.Minute
)

// Payment is one payment that is followed until it is over. Close it. Its methods may be
// called from several goroutines.
type Payment struct {
	client          *Client
	terminal, order string
	following       *Following
	leave           context.CancelFunc
	ended           chan struct{} // closed when run has returned

	mu sync.Mutex
	// changed is closed, and made anew, when something below has changed.
	changed  chan struct{}
	statuses []Status
	// request is what was asked for; nil if the payment was resumed.
	request *schema.StartRequest
	// reply and body are the answer to the start, doubt is why there is none.
	reply schema.StartReply
	body  []byte
	doubt error
	// pending: Start has not returned yet.
	pending bool
	// known is the last sequence that the bridge is known to have published.
	known uint64
	// unknown is how often in a row the bridge did not know the order.
	unknown int
	// over is closed at the end of the payment, err says why if it is not its end.
	over chan struct{}
	err  error
}

// Result is how a payment ended, or stands.
type Result struct {
	// Last is the last status; the zero value if there was none.
	Last Status
	// Verdict says what the last status means. Its Outcome is schema.Paid when the
	// customer has paid; schema.Unpaid when nothing is charged; schema.Returned when
	// the money goes back. Otherwise the order must be looked up before anything is
	// charged again.
	schema.Verdict
}

// open subscribes to an order's statuses.
func (c *Client) open(ctx context.Context, terminal, order string) (*Payment, error) {
	if err := c.awaitConnection(ctx); err != nil {
		return nil, err
	}
	life, leave := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, leave)
	following, err := c.follow(life, FollowOptions{Filter: Filter{Terminal: terminal, Order: order}}, true)
	if err != nil || !stop() {
		leave()
		if following != nil {
			_ = following.Err() // it ends with its context
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	p := &Payment{
		client: c, terminal: terminal, order: order,
		following: following, leave: leave,
		changed: make(chan struct{}), over: make(chan struct{}), ended: make(chan struct{}),
	}
	return p, nil
}

// Terminal is the payment's terminal.
func (p *Payment) Terminal() string { return p.terminal }

// Order is the payment's order id.
func (p *Payment) Order() string { return p.order }

// Reply is the bridge's answer to the start, and its body as it came. The body is nil
// when there was no such answer: see Doubt.
func (p *Payment) Reply() (reply schema.StartReply, body []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reply, p.body
}

// Doubt says why it is not known whether the payment was started: nil, or for example
// ErrOutcomeUnknown or ErrNoReply. A status that arrives ends the doubt.
func (p *Payment) Doubt() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.doubt
}

// Statuses returns the payment's statuses from the first on, each once and in order, as
// they come. They end when the payment is over and Options.SettleWindow has passed.
// They end with an error when ctx ends, when the payment is closed (ErrLeft) or the connection (ErrClosed), or with
// ErrNotFound: the start got no answer, and the bridge does not know the order.
// Then start the same request again, or Resume later.
func (p *Payment) Statuses(ctx context.Context) iter.Seq2[Status, error] {
	return func(yield func(Status, error) bool) {
		for n := 0; ; n++ {
			status, err, ok := p.status(ctx, n)
			if ok && yield(status, nil) {
				continue
			}
			if err != nil {
				yield(Status{}, err)
			}
			return
		}
	}
}

// status waits for status number n. ok is false when there is none; err says why, if it
// is not the payment's end.
func (p *Payment) status(ctx context.Context, n int) (status Status, err error, ok bool) { //nolint:revive,staticcheck // three results of one question
	for {
		p.mu.Lock()
		changed := p.changed
		if n < len(p.statuses) {
			status = p.statuses[n]
			p.mu.Unlock()
			return status, nil, true
		}
		p.mu.Unlock()
		select {
		case <-changed:
		case <-p.over:
			p.mu.Lock()
			more := n < len(p.statuses)
			p.mu.Unlock()
			if !more {
				return status, p.err, false
			}
		case <-ctx.Done():
			return status, context.Cause(ctx), false
		}
	}
}

// Wait waits for the end of the payment and of Options.SettleWindow after it. The error
// is one of those that end Statuses; the result is then what is known so far. After the
// end it returns at once.
func (p *Payment) Wait(ctx context.Context) (Result, error) {
	var err error
	select {
	case <-p.over:
		err = p.err
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.statuses) == 0 {
		verdict, _ := schema.VerdictOn(schema.StatusCreated, false)
		return Result{Verdict: verdict}, err
	}
	last := p.statuses[len(p.statuses)-1]
	verdict, _ := schema.VerdictOn(last.Status, last.Final)
	return Result{Last: last, Verdict: verdict}, err
}

// Cancel asks for the payment's cancellation, see Client.Cancel. What becomes of it
// arrives as a status.
func (p *Payment) Cancel(ctx context.Context) (schema.CancelReply, error) {
	reply, err := p.client.Cancel(ctx, p.terminal, p.order)
	if err == nil {
		p.following.CatchUp() // the order may have been over
	}
	return reply, err
}

// Close stops following. The payment itself goes on.
func (p *Payment) Close() {
	p.leave()
	<-p.ended
}

// run takes what the Following tells until the payment is over or closed.
func (p *Payment) run() {
	defer close(p.ended)
	defer func() { _ = p.following.Err() }() // it ends with its context
	defer p.leave()
	settle := time.NewTimer(0)
	settle.Stop()
	defer settle.Stop()
	for {
		select {
		case update, ok := <-p.following.Updates():
			if !ok {
				err := p.following.Err()
				if !errors.Is(err, ErrClosed) {
					err = ErrLeft
				}
				p.end(err)
				return
			}
			switch u := update.(type) {
			case Status:
				if final, stay := p.add(u); final {
					settle.Reset(stay)
				}
			case Unknown:
				p.client.notice(u)
				if err := p.unknownTo(); err != nil {
					p.end(err)
					return
				}
			default:
				p.client.notice(u)
			}
		case <-settle.C:
			p.end(nil)
			return
		}
	}
}

// add notes a status. final is true when the payment is over; the statuses that may
// follow are waited for as long as stay.
func (p *Payment) add(u Status) (final bool, stay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.statuses = append(p.statuses, u)
	p.unknown = 0
	if p.request == nil || p.request.Amount == u.Amount && p.request.Currency == u.Currency {
		p.doubt = nil
	}
	p.tell()
	if !u.Final {
		return false, 0
	}
	stay = max(p.client.options.SettleWindow, 0)
	last := p.known != 0 && u.Sequence >= p.known && time.Since(u.ObservedAt) > stay+clockSkew
	if last || u.Status == schema.StatusUnresolved || u.Status == schema.StatusNotCreated { // nothing follows
		stay = 0
	}
	return true, stay
}

// unknownTo notes that the bridge does not know the order. The error ends the payment:
// its start was not confirmed, and nothing has been seen of it.
func (p *Payment) unknownTo() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pending || p.doubt == nil || len(p.statuses) > 0 {
		return nil
	}
	if p.unknown++; p.unknown < unknownLimit {
		return nil
	}
	return &Error{Command: subjects.Get, Reply: *schema.NewError(schema.NotFound, "the bridge does not know the order, and did not answer its start")}
}

func (p *Payment) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
	close(p.over)
}

// tell wakes whoever waits for a change. Call it with the mutex.
func (p *Payment) tell() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// evidence is closed when a status shows that the payment exists. It may be that of an
// order with the same id and other content, unless the amounts are equal.
func (p *Payment) evidence(ctx context.Context) bool {
	for n := 0; ; n++ {
		status, _, ok := p.status(ctx, n)
		if !ok {
			return false
		}
		if status.Amount == p.request.Amount && status.Currency == p.request.Currency {
			return true
		}
	}
}
