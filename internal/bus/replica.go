package bus

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
)

// AskReplica asks another process of the bridge and returns its answer.
// ErrNoResponders: NATS knows no connection that answers for the id. After any
// other error the process may be there.
func (b *Bus) AskReplica(ctx context.Context, id string, question []byte) ([]byte, error) {
	subject, err := b.space.Replica(id)
	if err != nil {
		return nil, err
	}
	ctx, cancel := limit(ctx)
	defer cancel()
	msg, err := b.conn.RequestWithContext(ctx, subject, question)
	if err != nil {
		return nil, fmt.Errorf("ask replica: %w", err)
	}
	return msg.Data, nil
}

// ServeReplica answers the questions to this process until stop. handle is called
// for one question after the other and may call reply later, from any goroutine.
func (b *Bus) ServeReplica(id string, handle func(question []byte, reply func(answer []byte))) (stop func(), err error) {
	subject, err := b.space.Replica(id)
	if err != nil {
		return nil, err
	}
	sub, err := b.conn.Subscribe(subject, func(msg *nats.Msg) {
		handle(msg.Data, func(answer []byte) { _ = msg.Respond(answer) }) // without an answer the other replica asks again
	})
	if err != nil {
		return nil, fmt.Errorf("serve questions: %w", err)
	}
	return func() { _ = sub.Unsubscribe() }, nil // fails only when the connection is closed
}
