package client

import (
	"context"
	"errors"
	"time"

	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// Pauses before a request is sent again.
const (
	// pauseAgain doubles from try to try: another replica will do.
	pauseAgain = 50 * time.Millisecond
	// pauseLater doubles as well: the provider, or JetStream, needs time.
	pauseLater = time.Second
	// pauseMost bounds both.
	pauseMost = 5 * time.Second
	// defaultLimit bounds a command whose caller sets no deadline. It is longer than the
	// bridge's default BRIDGE_START_DEADLINE, after which it answers in any case.
	defaultLimit = 45 * time.Second
)

// limited gives a context without a deadline one.
func limited(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, defaultLimit, ErrNoReply)
}

// next is what follows an answer.
type next int

const (
	// giveUp: the answer is the command's.
	giveUp next = iota
	// again: another replica will answer the same request.
	again
	// later: the same request may succeed after a pause.
	later
	// lost: no answer came, so it is not known what became of the request.
	lost
	// unsent: the connection was away, and nothing was sent.
	unsent
)

// judge says what follows an error of send. sent is true when an earlier request of
// this command may have reached a bridge. It is the one place that does.
func judge(command subjects.Command, err error, sent bool) next {
	if refused, ok := errors.AsType[*Error](err); ok {
		return judgeCode(command, refused.Reply.Code)
	}
	switch {
	case errors.Is(err, ErrNoReply):
		return lost
	case errors.Is(err, ErrAway):
		return unsent
	case errors.Is(err, ErrNoBridge) && sent: // somebody was there a moment ago
		return later
	}
	return giveUp
}

// judgeCode goes by the table that everybody goes by. A busy terminal is not waited for:
// whether the customer of the other payment is asked to hurry is for a person to say.
func judgeCode(command subjects.Command, code schema.Code) next {
	advice, _ := schema.AdviceOn(command, code)
	switch {
	case advice.Next == schema.Again:
		return again
	case advice.Next == schema.Later && code != schema.TerminalBusy:
		return later
	}
	return giveUp
}

// pauseBefore is the pause before try number try, which follows for the reason n.
func pauseBefore(n next, try int) time.Duration {
	switch n {
	case again:
		return min(pauseAgain<<min(try, 10), pauseMost)
	case later:
		return min(pauseLater<<min(try, 10), pauseMost)
	}
	return 0
}

// rest tells of a retry. It waits before a command is sent again, and until the connection
// stands. It fails when ctx ends sooner, or the connection is closed.
func (c *Client) rest(ctx context.Context, n next, r Retry) error {
	pause := pauseBefore(n, r.Try-1)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < pause {
		return context.DeadlineExceeded // the answer is known now
	}
	r.Pause = pause
	c.notice(r)
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return c.awaitConnection(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
