package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// noted remembers trouble with NATS, see Calm.
func (b *Bus) noted(err error) error {
	if isTrouble(err) {
		b.state.trouble()
	}
	return err
}

// apiSubject is a subject of the JetStream API in the connection's domain.
func (b *Bus) apiSubject(tokens ...string) string {
	prefix := jetstream.DefaultAPIPrefix
	if domain := b.js.Options().Domain; domain != "" {
		prefix = strings.Replace(prefix, ".", "."+domain+".", 1)
	}
	return prefix + strings.Join(tokens, ".")
}

// ask sends a request to the JetStream API that nats.go has no method for, and
// reads the answer. ErrNotFound: the server knows no such message.
func (b *Bus) ask(ctx context.Context, subject string, request, answer any) error {
	ctx, cancel := limit(ctx)
	defer cancel()
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("write request to %s: %w", subject, err)
	}
	msg, err := b.conn.RequestWithContext(ctx, subject, body)
	if err != nil {
		return b.noted(fmt.Errorf("ask %s: %w", subject, err))
	}
	var failed struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := errors.Join(json.Unmarshal(msg.Data, &failed), json.Unmarshal(msg.Data, answer)); err != nil {
		return fmt.Errorf("read answer of %s: %w", subject, err)
	}
	switch {
	case failed.Error == nil:
		return nil
	case failed.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound, failed.Error.ErrorCode == codeSequenceNotFound:
		return ErrNotFound
	}
	return b.noted(fmt.Errorf("ask %s: %w", subject, failed.Error))
}

// askMany sends a request to the JetStream API and passes each message of the
// answer to take, until take wants no more. most is how many messages the answer
// has at most.
func (b *Bus) askMany(ctx context.Context, subject string, request any, most int, take func(*nats.Msg) (more bool, err error)) error {
	ctx, cancel := limit(ctx)
	defer cancel()
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("write request to %s: %w", subject, err)
	}
	// SubscribeSync would make room for 65,536 messages, which takes longer than
	// everything else here.
	inbox, messages := b.conn.NewInbox(), make(chan *nats.Msg, most)
	sub, err := b.conn.ChanSubscribe(inbox, messages)
	if err == nil {
		defer func() { _ = sub.Unsubscribe() }() // fails only without a connection
		err = b.conn.PublishRequest(subject, inbox, body)
	}
	for more := true; err == nil && more; {
		select {
		case msg := <-messages:
			if len(msg.Data) == 0 && msg.Header.Get("Status") == "503" {
				err = nats.ErrNoResponders
				break
			}
			more, err = take(msg)
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err == nil {
		return nil
	}
	return b.noted(fmt.Errorf("ask %s: %w", subject, err))
}
