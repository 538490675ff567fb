package bus

import (
	"context"
	"fmt"
)

// keepConsumerBehind sets a consumer that is ahead of the queue back to the first
// session. What some replica follows is delivered again, too, and left to its owner.
func (b *Bus) keepConsumerBehind(ctx context.Context) (reset bool, err error) {
	if b.ahead.delivered == 0 {
		return false, nil
	}
	ctx, cancel := limit(ctx)
	defer cancel()
	s, err := b.js.Stream(ctx, b.space.SessionStream()) // the consumer was asked before
	if err != nil {
		return false, b.explain("look at queue", err)
	}
	state := s.CachedInfo().State
	if b.ahead.delivered <= state.LastSeq {
		b.ahead.seen = 0
		return false, nil
	}
	if b.ahead.seen++; b.ahead.seen == 1 {
		return false, fmt.Errorf("%s: it is %d sessions ahead of its stream: new sessions are not delivered", b.consumerTitle(), b.ahead.delivered-state.LastSeq)
	}
	subject := b.apiSubject("CONSUMER.RESET", b.space.SessionStream(), consumerName)
	request := struct {
		Seq uint64 `json:"seq"`
	}{max(state.FirstSeq, 1)}
	if err := b.ask(ctx, subject, request, &struct{}{}); err != nil {
		return false, fmt.Errorf("%s: it is %d sessions ahead of its stream and cannot be set back (%w): new sessions are delivered late; %s",
			b.consumerTitle(), b.ahead.delivered-state.LastSeq, err, remakeConsumer)
	}
	b.ahead.seen = 0
	return true, nil
}
