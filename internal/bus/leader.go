package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// stored is a message as a stream's leader has it.
type stored struct {
	Subject string    `json:"subject"`
	Seq     uint64    `json:"seq"`
	Header  []byte    `json:"hdrs"`
	Data    []byte    `json:"data"`
	Time    time.Time `json:"time"`
}

// lastOf reads the last message on a subject from the stream's leader. The
// direct get of nats.go may be answered by a copy that lags, and whoever takes a
// session over must not continue from an old state.
func (b *Bus) lastOf(ctx context.Context, stream, subject string) (stored, nats.Header, error) {
	return b.messageOf(ctx, stream, subject, map[string]any{"last_by_subj": subject})
}

// nextOf reads the first message on a subject at or after a sequence, from the
// stream's leader.
func (b *Bus) nextOf(ctx context.Context, stream, subject string, from uint64) (stored, nats.Header, error) {
	return b.messageOf(ctx, stream, subject, map[string]any{"next_by_subj": subject, "seq": from})
}

func (b *Bus) messageOf(ctx context.Context, stream, subject string, which map[string]any) (stored, nats.Header, error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	request, err := json.Marshal(which)
	if err != nil {
		return stored{}, nil, fmt.Errorf("ask stream %s: %w", stream, err)
	}
	answer, err := b.conn.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+stream, request)
	if err != nil {
		return stored{}, nil, fmt.Errorf("ask stream %s for %s: %w", stream, subject, err)
	}
	var body struct {
		Error   *jetstream.APIError `json:"error"`
		Message *stored             `json:"message"`
	}
	if err := json.Unmarshal(answer.Data, &body); err != nil {
		return stored{}, nil, fmt.Errorf("read answer of stream %s: %w", stream, err)
	}
	switch {
	case body.Error != nil && body.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return stored{}, nil, ErrNotFound
	case body.Error != nil:
		return stored{}, nil, fmt.Errorf("ask stream %s for %s: %w", stream, subject, body.Error)
	case body.Message == nil:
		return stored{}, nil, fmt.Errorf("ask stream %s for %s: %w", stream, subject, errors.New("empty answer"))
	}
	header := nats.Header{}
	if len(body.Message.Header) > 0 {
		if header, err = nats.DecodeHeadersMsg(body.Message.Header); err != nil {
			return stored{}, nil, fmt.Errorf("read header of %s: %w", subject, err)
		}
	}
	return *body.Message, header, nil
}
