package bridge

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/terminalgroups"
	"github.com/posbridge/bridge/schema"
)

// Requester is who asked for a payment and how to answer.
type Requester struct {
	// Inbox is empty when nobody waits for an answer.
	Inbox string
	// Trace is the W3C trace context of the request.
	Trace map[string]string
	// Sent is the earliest time at which the request can have been sent; zero is now.
	Sent time.Time
}

// unlockPoll is how often a terminal that is about to be unlocked is looked at
// again when nothing tells of it.
const unlockPoll = 100 * time.Millisecond

// Start locks the terminal and queues the session. When it returns neither a
// reply nor an error, whoever follows the session answers the requester. A reply
// is given here for an order that was started before.
func (r *Replica) Start(ctx context.Context, request schema.StartRequest, from Requester) (*schema.StartReply, *schema.Error) {
	sent := from.Sent
	if sent.IsZero() {
		sent = r.Clock.Now()
	}
	request = complete(request)
	ctx, cancel := context.WithTimeout(ctx, r.StartDeadline)
	defer cancel()
	if _, err := r.Groups.Lookup(ctx, request.TerminalID); err != nil {
		return nil, lookupError(request.TerminalID, err)
	}
	s := bus.Session{
		Request: request, Hash: contentHash(request), Nonce: rand.Text(), Reply: from.Inbox,
		StartedAt: sent, Deadline: sent.Add(r.StartDeadline), Trace: from.Trace,
	}
	if r.until(s.Deadline) <= 0 {
		return nil, schema.NewError(schema.ProviderUnavailable, "the request lay there for longer than BRIDGE_START_DEADLINE; nothing was created")
	}
	pause := r.backoff()
	known, by := true, "" // that nothing came of it so far; whom it waited for
	for ctx.Err() == nil {
		try, err := r.tryStart(ctx, s)
		known, by = known && err == nil && try.joined == 0, orElse(try.by, by)
		switch {
		case err != nil:
			r.Log.Warn("A start could not be queued yet", zap.Error(err))
			sleep(ctx, pause.NextBackOff())
		case try.wait > 0:
			r.waitForTerminal(ctx, request.TerminalID, try.wait)
			if failure := r.board.refusal(try.joined); failure != nil {
				return nil, failure // what came of it is this request's answer too
			}
		default:
			return try.reply, try.failure
		}
	}
	if known && errors.Is(ctx.Err(), context.DeadlineExceeded) { // and not a drain
		return nil, schema.NewError(schema.TerminalBusy, "terminal %s is still being freed by order %s", request.TerminalID, by)
	}
	return nil, schema.NewError(schema.OutcomeUnknown, "it is not known in time whether the order exists; send the same request again")
}

// attempt is what came of one try to queue a start: a reply, a failure, or
// neither, when whoever follows the session answers; or another try is to be
// made after a wait.
type attempt struct {
	reply   *schema.StartReply
	failure *schema.Error
	wait    time.Duration
	// joined is the session of the same order that is waited for, 0 for none.
	joined uint64
	// by is the order that is over and about to free the terminal.
	by string
}

// tryStart makes one attempt. An error is the bus's, and may pass.
func (r *Replica) tryStart(ctx context.Context, s bus.Session) (attempt, error) {
	last, err := r.Journal.Last(ctx, s.Terminal(), s.Order())
	switch {
	case err == nil && last.Hash != s.Hash:
		return attempt{failure: orderConflict(s.Order())}, nil
	case err == nil && last.Event.Final:
		reply := startReply(r.Space, s.Terminal(), s.Order(), last.Event.SessionID, last.Event.Status, false)
		return attempt{reply: &reply}, nil
	case err != nil && !errors.Is(err, bus.ErrNotFound):
		return attempt{}, err
	}
	_, err = r.Queue.Enqueue(ctx, s)
	if !errors.Is(err, bus.ErrConflict) {
		return attempt{}, err
	}
	holder, seq, err := r.Queue.Queued(ctx, s.Terminal())
	switch {
	case errors.Is(err, bus.ErrNotFound):
		return attempt{wait: time.Millisecond}, nil // it has gone in between
	case err != nil:
		return attempt{}, err
	case holder.Nonce == s.Nonce:
		return attempt{}, nil // an earlier try of ours, whose answer was lost
	case holder.Order() != s.Order():
		return r.busy(ctx, s.Terminal(), holder.Order())
	case holder.Hash != s.Hash:
		return attempt{failure: orderConflict(s.Order())}, nil
	}
	return r.join(ctx, holder, seq)
}

// busy refuses a start while another order's payment is open. One that is over,
// or was refused, is about to be unlocked.
func (r *Replica) busy(ctx context.Context, terminal, order string) (attempt, error) {
	last, err := r.Journal.Last(ctx, terminal, order)
	if err == nil && last.Event.Final {
		return attempt{wait: unlockPoll, by: order}, nil
	}
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		return attempt{}, err
	}
	there, err := r.readRecord(ctx, terminal)
	switch {
	case err != nil:
		return attempt{}, err
	case there.record.Order == order && there.record.Phase == bus.Refused:
		return attempt{wait: unlockPoll, by: order}, nil
	}
	return attempt{failure: terminalBusy(terminal, order)}, nil
}

// join answers a repeated start from the session that is there.
func (r *Replica) join(ctx context.Context, holder bus.Session, seq uint64) (attempt, error) {
	there, err := r.readRecord(ctx, holder.Terminal())
	switch {
	case err != nil:
		return attempt{}, err
	case there.record.Seq != seq || there.record.Phase == bus.Creating:
		return attempt{wait: time.Second, joined: seq}, nil
	case there.record.Phase == bus.Refused && there.record.Error != nil:
		return attempt{failure: there.record.Error}, nil
	case there.record.Phase == bus.Refused: // about to go; then it is tried again as the first
		return attempt{wait: unlockPoll}, nil
	}
	status, sessionID := "", there.record.SessionID
	last, err := r.Journal.Last(ctx, holder.Terminal(), holder.Order())
	switch {
	case err == nil:
		status, sessionID = last.Event.Status, orElse(last.Event.SessionID, sessionID)
	case !errors.Is(err, bus.ErrNotFound):
		return attempt{}, err
	}
	reply := startReply(r.Space, holder.Terminal(), holder.Order(), sessionID, status, false)
	return attempt{reply: &reply}, nil
}

// waitForTerminal waits until the terminal's record changes, at most d.
func (r *Replica) waitForTerminal(ctx context.Context, terminal string, d time.Duration) {
	changed, stop := r.board.watch(terminal)
	defer stop()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
	}
}

func terminalBusy(terminal, order string) *schema.Error {
	return schema.NewError(schema.TerminalBusy, "terminal %s is busy with order %s", terminal, order)
}

func orderConflict(order string) *schema.Error {
	return schema.NewError(schema.OrderConflict, "order %s exists with other content", order)
}

// lookupError is the answer when no key was found for a terminal.
func lookupError(terminal string, err error) *schema.Error {
	if shared, ok := errors.AsType[*terminalgroups.SharedError](err); ok {
		return schema.NewError(schema.UnknownTerminal, "%v", shared)
	}
	if errors.Is(err, terminalgroups.ErrUnknownTerminal) {
		return schema.NewError(schema.UnknownTerminal, "no terminal group's key serves terminal %s", terminal)
	}
	failure, ok := errors.AsType[*multisafepay.Error](err)
	if ok && failure.Kind == multisafepay.KindKey {
		return withProvider(schema.NewError(schema.ProviderError,
			"the provider refuses the key of a terminal group; it is not known whether it serves terminal %s", terminal), failure)
	}
	return withProvider(schema.NewError(schema.ProviderUnavailable,
		"the provider could not be asked which terminal group terminal %s belongs to; nothing was created", terminal), failure)
}

// complete fills in what is left out, so that the same order asked for in other
// words is the same request.
func complete(r schema.StartRequest) schema.StartRequest {
	r.Description = orElse(r.Description, r.OrderID)
	if r.Customer != nil && *r.Customer == (schema.Customer{}) {
		r.Customer = nil
	}
	if r.CustomInfo != nil && *r.CustomInfo == (schema.CustomInfo{}) {
		r.CustomInfo = nil
	}
	return r
}

// contentHash tells one request from another with the same order id.
func contentHash(request schema.StartRequest) string {
	body, err := json.Marshal(request)
	if err != nil {
		return "" // a struct of strings and integers can always be written
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
