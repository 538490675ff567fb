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
// makes a second payment.
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
	go p.run()
	p.following.CatchUp()
	return p, nil
}

// start sends the request until it is answered or an answer is no longer to be
// expected. The error means that nothing was started.
func (p *Payment) start(ctx context.Context) error {
	var doubt error // why an earlier request may have been carried out
	for try := 0; ; try++ {
		reply, body, err := p.startOnce(ctx)
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
			if errors.Is(err, errSeen) || p.exists(ctx) {
				p.doubtful(nil)
				return nil
			}
		case again: // the replica that is stopping may have begun
			doubt = err
		}
		if ctx.Err() == nil && p.client.rest(ctx, subjects.Start, n, try, err) == nil {
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
// earlier one may have been carried out. The error means that nothing was started.
func (p *Payment) refused(ctx context.Context, err, doubt error) error {
	_, refusal := errors.AsType[*Error](err)
	switch {
	case leavesDoubt(err):
		p.doubtful(err)
	case doubt != nil && !errors.Is(err, ErrOrderConflict) && p.exists(ctx):
		p.doubtful(nil)
	case doubt != nil && !refusal:
		p.doubtful(doubt)
	default:
		return err
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

// startOnce sends the request once.
func (p *Payment) startOnce(ctx context.Context) (reply schema.StartReply, body []byte, err error) {
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
	defer watch.Wait()
	defer end(nil)
	body, err = p.client.send(ctx, subjects.Start, p.terminal, p.request)
	if err != nil {
		return reply, nil, err
	}
	if json.Unmarshal(body, &reply) != nil || reply.OrderID != p.order || reply.TerminalID != p.terminal {
		return reply, nil, fmt.Errorf("ask for the payment: %w", ErrBadReply)
	}
	return reply, body, nil
}

// exists asks the bridge whether a status of the order was published, with what was asked
// for. Before the first one the order may still be at the provider's door: the same
// request, sent again, waits there for the answer.
func (p *Payment) exists(ctx context.Context) bool {
	request := schema.OrderRequest{TerminalID: p.terminal, OrderID: p.order}
	body, err := p.client.send(ctx, subjects.Get, p.terminal, request)
	if err != nil {
		return false
	}
	var session schema.Session
	return json.Unmarshal(body, &session) == nil && session.OrderID == p.order && session.TerminalID == p.terminal &&
		session.Sequence > 0 && session.Amount == p.request.Amount && session.Currency == p.request.Currency
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
