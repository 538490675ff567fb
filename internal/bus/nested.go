package bus

import (
	"context"
	"errors"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Nested reports whether the subjects of a terminal's commands are those of another
// bridge, whose prefix is longer. It is as of the last Ensure. Capitals do not
// matter.
func (b *Bus) Nested(terminal string) bool {
	tokens := b.nested.tokens.Load()
	return tokens != nil && (*tokens)[strings.ToUpper(terminal)]
}

// findNested looks for the queues of bridges with a longer prefix. It keeps what it
// knew if NATS does not answer. The right to list streams is optional: without it no
// such bridge is known.
func (b *Bus) findNested(ctx context.Context) {
	if b.nested.refused {
		return
	}
	ctx, cancel := limit(ctx)
	defer cancel()
	ctx, done := b.refusable(ctx, b.listStreams().Subject)
	defer done()
	names := b.js.StreamNames(ctx, jetstream.WithStreamListSubject(b.space.Prefix()+".*.*.session"))
	queue := b.space.SessionStream()
	end := queue[strings.LastIndexByte(queue, '_'):]
	begin := strings.TrimSuffix(queue, end) + "_"
	tokens := map[string]bool{}
	for name := range names.Name() {
		if rest, ok := strings.CutPrefix(name, begin); ok && strings.HasSuffix(rest, end) {
			tokens[strings.TrimSuffix(rest, end)] = true
		}
	}
	if names.Err() == nil {
		b.nested.tokens.Store(&tokens)
	}
	b.nested.refused = errors.Is(context.Cause(ctx), nats.ErrPermissionViolation)
}
