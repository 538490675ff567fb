package bus

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A handle is the acknowledgement subject of one delivery:
//
//	$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>
//	$JS.ACK.<domain>.<account hash>.<stream>.<consumer>.<the same five>.<random>
//
// Any connection may use it. JetStream compares the stream sequence alone, which
// never repeats, so an old handle does nothing to a later session.
const (
	handlePrefix  = "$JS.ACK."
	handleTokens  = 7 // without prefix and domain
	domainTokens  = 2
	maxHandleSize = 512
)

// delivered is what a handle says about its delivery.
type delivered struct {
	seq, times uint64
	storedAt   time.Time
}

// parseHandle reads a handle; ok is false unless it is one of this queue.
func (b *Bus) parseHandle(handle string) (d delivered, ok bool) {
	rest, ok := strings.CutPrefix(handle, handlePrefix)
	if !ok || len(handle) > maxHandleSize || strings.ContainsAny(handle, "*> \t\r\n") {
		return d, false
	}
	tokens := strings.Split(rest, ".")
	if len(tokens) >= domainTokens+handleTokens {
		tokens = tokens[domainTokens : domainTokens+handleTokens]
	}
	if len(tokens) != handleTokens || tokens[0] != b.space.SessionStream() || tokens[1] != consumerName {
		return d, false
	}
	var numbers [handleTokens - 2]uint64
	for i, token := range tokens[2:] {
		var err error
		if numbers[i], err = strconv.ParseUint(token, 10, 63); err != nil {
			return d, false
		}
	}
	d = delivered{times: numbers[0], seq: numbers[1], storedAt: time.Unix(0, int64(numbers[3])).UTC()} //nolint:gosec // 63 bits
	return d, d.seq > 0
}

// InProgress keeps a delivery with its replica for another ReplicaTTL. Nobody
// confirms it: an old handle does nothing.
func (b *Bus) InProgress(handle string) error { return b.tell(handle, "+WPI") }

// Nak gives a delivery back, so that JetStream delivers the session to another
// replica at once. Nobody confirms it.
func (b *Bus) Nak(handle string) error { return b.tell(handle, "-NAK") }

func (b *Bus) tell(handle, what string) error {
	if _, ok := b.parseHandle(handle); !ok {
		return ErrHandle
	}
	if err := b.conn.Publish(handle, []byte(what)); err != nil {
		return fmt.Errorf("publish %s: %w", what, err)
	}
	return nil
}

// Ack removes the session of a delivery from the queue, which unlocks its
// terminal. nil: the server has confirmed it. On a replicated stream the message
// may be there for a moment longer. Any error: it may have happened all the same.
func (b *Bus) Ack(ctx context.Context, handle string) error {
	if _, ok := b.parseHandle(handle); !ok {
		return ErrHandle
	}
	ctx, cancel := limit(ctx)
	defer cancel()
	if _, err := b.conn.RequestWithContext(ctx, handle, nil); err != nil {
		return b.noted(fmt.Errorf("acknowledge session: %w", err))
	}
	return nil
}
