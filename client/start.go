package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// replyGrace is how long a start still waits for its answer when a status has shown
// already that the payment exists.
const replyGrace = 2 * time.Second

// maxListen is for how many times the time of an answer a start waits for the one answer
// to a request that the bridge has: longer than the bridge's default
// BRIDGE_START_DEADLINE, after which it answers.
const maxListen = 4

// errMaking is the doubt about a payment that was resumed while its order was being made.
var errMaking = fmt.Errorf("%w: the order is being made", ErrNoReply)

// errSeen ends a start whose answer does not come although a status of the payment did.
var errSeen = errors.New("a status of the payment has been seen")

// Start asks for a payment and returns when the bridge has answered, or when ctx ends,
// or else after 45 s. Store the request first, so that Resume can find the payment
// after a restart of your program.
//
// An error means that this request started no payment. It is an *Error if the bridge
// refused. If it is not known whether the payment was started, because answers got lost
// or the bridge does not know it yet, there is no error, also when ctx is over: the
// payment is followed, and Payment.Doubt says why.
//
// Within the deadline of ctx the same request is sent again while that helps: it never
// makes a second payment. To cancel meanwhile, call Client.Cancel from another goroutine.
func (c *Client) Start(ctx context.Context, request schema.StartRequest) (*Payment, error) {
	ids := schema.OrderRequest{TerminalID: request.TerminalID, OrderID: request.OrderID}
	if err := ids.Check(); err != nil {
		return nil, refusedHere(subjects.Start, err)
	}
	limit, cancel := limited(ctx)
	defer cancel()
	p, err := c.open(limit, request.TerminalID, request.OrderID)
	if err != nil {
		return nil, fmt.Errorf("start payment: %w", err)
	}
	p.request, p.pending = &request, true
	go p.run()
	if err := p.start(limit); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Resume follows a payment that was started before, by this program or another, and
// returns when the bridge has answered. Its statuses begin with the first. It fails
// with ErrNotFound when the bridge does not know the order. If the start was sent less
// than BRIDGE_START_DEADLINE (30 s) ago, it may still be on its way: ask again later.
// Start sends again until its deadline, so count from there. If the bridge is making the
// order, Payment.Doubt says so, and the statuses end with ErrNotFound if nothing comes of
// it.
func (c *Client) Resume(ctx context.Context, terminal, order string) (*Payment, error) {
	request := schema.OrderRequest{TerminalID: terminal, OrderID: order}
	if err := request.Check(); err != nil {
		return nil, refusedHere(subjects.Get, err)
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	session, err := c.Get(ctx, terminal, order)
	if err != nil {
		return nil, err
	}
	p, err := c.open(ctx, terminal, order)
	if err != nil {
		return nil, fmt.Errorf("resume payment: %w", err)
	}
	p.known = session.Sequence
	if !made(session) {
		p.doubt = errMaking
	}
	go p.run()
	p.following.CatchUp()
	return p, nil
}

// start sends the request until it is answered or an answer is no longer to be
// expected. The error means that nothing was started.
func (p *Payment) start(ctx context.Context) error {
	a := asking{payment: p}
	defer a.close()
	var doubt error // why an earlier request may have been carried out
	began := time.Now()
	for try := 1; ; try++ {
		reply, body, err := a.once(ctx)
		if err == nil {
			p.started(reply, body)
			return nil
		}
		n := judge(subjects.Start, err, doubt != nil)
		switch n {
		case giveUp:
			return p.refused(ctx, err, doubt)
		case lost:
			doubt = err
			if errors.Is(err, errSeen) || a.look(ctx, err) {
				p.doubtful(nil)
				return nil
			}
		case again: // the replica that is stopping may have begun
			doubt = err
		}
		if ctx.Err() == nil && p.client.rest(ctx, n, Retry{
			Command: subjects.Start, Err: err, Try: try, Elapsed: time.Since(began), Listening: a.listen > 0,
		}) == nil {
			continue
		}
		if doubt == nil {
			return err
		}
		p.doubtful(doubt)
		return nil
	}
}

// refused takes an answer after which the request is not sent again. doubt says why an
// earlier one may have been carried out: then the bridge is asked for the order before the
// refusal is believed. The error means that nothing was started.
func (p *Payment) refused(ctx context.Context, err, doubt error) error {
	switch {
	case leavesDoubt(err):
		p.doubtful(err)
		return nil
	case doubt == nil, errors.Is(err, ErrOrderConflict):
		return err
	}
	session, unknown := p.client.Get(ctx, p.terminal, p.order)
	_, refusal := errors.AsType[*Error](err)
	ended := errors.Is(err, ErrProviderRejected) || errors.Is(err, ErrProviderError) // how the order's own session ended
	switch {
	case unknown == nil && p.asked(session) && made(session):
		p.doubtful(nil)
	case refusal && (errors.Is(unknown, ErrNotFound) || unknown == nil && (ended || !p.asked(session))):
		return err
	default:
		p.doubtful(doubt)
	}
	return nil
}

// leavesDoubt says whether an answer leaves open if the order exists: the bridge does not
// know it yet, the code is a later version's, or it is no answer at all.
func leavesDoubt(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	if !ok {
		return errors.Is(err, ErrBadReply)
	}
	advice, _ := schema.AdviceOn(subjects.Start, refused.Reply.Code)
	return advice.Next == schema.Follow
}

// asking is a start under way.
type asking struct {
	payment *Payment
	// line is there while an answer to an earlier request may still come.
	line *line
	// listen: the bridge has the request, so the answer is waited for without another one.
	listen int
}

func (a *asking) close() {
	if a.line != nil {
		a.line.hangUp()
		a.line = nil
	}
	a.listen = 0 // what comes next is sent
}

// once sends the request, unless the bridge has it, and waits for the answer for a while.
func (a *asking) once(ctx context.Context) (reply schema.StartReply, body []byte, err error) {
	p := a.payment
	var data []byte
	if a.listen == 0 {
		if data, err = json.Marshal(p.request); err != nil {
			return reply, nil, fmt.Errorf("write request: %w", err)
		}
	}
	if a.line == nil {
		if a.line, err = p.client.dial(subjects.Start, p.terminal); err != nil {
			return reply, nil, err
		}
	}
	ctx, end := p.untilSeen(ctx)
	defer end()
	body, err = a.line.ask(ctx, data)
	if !errors.Is(err, ErrNoReply) {
		// A second answer to this request must not be taken for one to the next.
		a.close()
	}
	if err != nil {
		return reply, nil, err
	}
	if json.Unmarshal(body, &reply) != nil || reply.OrderID != p.order || reply.TerminalID != p.terminal {
		return reply, nil, fmt.Errorf("ask for the payment: %w", ErrBadReply)
	}
	return reply, body, nil
}

// look asks what became of a request without an answer. It reports whether the payment
// exists. If the bridge has the request and does not know that yet, its answer is
// waited for, as long as one is to be expected.
func (a *asking) look(ctx context.Context, lost error) bool {
	session, err := a.payment.ask(ctx)
	a.listen++
	if err != nil || a.listen >= maxListen || a.line == nil || errors.Is(lost, errLinkBack) {
		a.listen = 0
	}
	return err == nil && made(session)
}

// untilSeen returns a context that ends with errSeen some time after a status has shown
// that the payment exists, and with ErrNoReply when an answer is late. Call the function
// that it returns when nobody waits any longer.
func (p *Payment) untilSeen(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithTimeoutCause(ctx, p.client.answer, ErrNoReply)
	ctx, end := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		if !p.evidence(ctx) {
			return
		}
		grace := time.NewTimer(replyGrace)
		defer grace.Stop()
		select {
		case <-grace.C:
			end(errSeen)
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		end(nil)
		cancel()
		watch.Wait()
	}
}

// made says whether an order exists at the provider. Before, the bridge knows the session
// alone.
func made(s schema.Session) bool { return s.SessionID != "" || s.Sequence > 0 }

// ask asks the bridge for the order. It fails if that has other content.
func (p *Payment) ask(ctx context.Context) (session schema.Session, err error) {
	request := schema.OrderRequest{TerminalID: p.terminal, OrderID: p.order}
	body, err := p.client.send(ctx, subjects.Get, p.terminal, request)
	if err != nil {
		return session, err
	}
	if json.Unmarshal(body, &session) != nil || session.OrderID != p.order || session.TerminalID != p.terminal || !p.asked(session) {
		return session, fmt.Errorf("ask for the order: %w", ErrBadReply)
	}
	return session, nil
}

// asked says whether an order has the content that was asked for.
func (p *Payment) asked(s schema.Session) bool {
	return s.Amount == p.request.Amount && s.Currency == p.request.Currency
}

// started notes the bridge's answer.
func (p *Payment) started(reply schema.StartReply, body []byte) {
	p.mu.Lock()
	p.reply, p.body, p.pending = reply, body, false
	p.mu.Unlock()
	if !reply.Created { // its statuses may all have been published already
		p.following.CatchUp()
	}
}

// doubtful notes that the start ended without an answer. err is nil if the payment
// exists all the same.
func (p *Payment) doubtful(err error) {
	p.mu.Lock()
	p.pending = false
	if len(p.statuses) == 0 {
		p.doubt = err
	}
	p.mu.Unlock()
	p.following.CatchUp()
}
