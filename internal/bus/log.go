package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// AppendClaim publishes a claim of an order if expect is the last sequence in the
// order's log (0: the log is empty), and returns its sequence. The claim replaces
// the one before it. See the package comment for the errors.
func (b *Bus) AppendClaim(ctx context.Context, terminal, order string, c Claim, expect uint64) (seq uint64, err error) {
	c.V = Version
	body, err := json.Marshal(c)
	if err != nil {
		return 0, fmt.Errorf("write claim: %w", err)
	}
	h := newHeaders()
	h.set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	if b.opts.ClaimTTL > 0 {
		h.set(jetstream.MsgTTLHeader, b.opts.ClaimTTL.String())
	}
	return b.append(ctx, "publish claim", terminal, order, subjects.Claim, &nats.Msg{Header: h.header, Data: body}, h, expect)
}

// AppendStatus publishes a status if expect is the last sequence in its order's
// log, and returns its sequence.
func (b *Bus) AppendStatus(ctx context.Context, s Status, expect uint64) (seq uint64, err error) {
	msg, h, err := statusMessage("/"+strings.ReplaceAll(b.space.Prefix(), ".", "/")+"/", s)
	if err != nil {
		return 0, err
	}
	return b.append(ctx, "publish status", s.Event.TerminalID, s.Event.OrderID, subjects.Status, msg, h, expect)
}

// AppendInvalid publishes an event that could not be understood if expect is the
// last sequence in its order's log, and returns its sequence.
func (b *Bus) AppendInvalid(ctx context.Context, e schema.InvalidEvent, expect uint64) (seq uint64, err error) {
	body, err := json.Marshal(e)
	if err != nil {
		return 0, fmt.Errorf("write invalid event: %w", err)
	}
	h := newHeaders()
	h.set("content-type", "application/json")
	h.set(headerVersion, writtenVersion)
	return b.append(ctx, "publish invalid event", e.TerminalID, e.OrderID, subjects.Invalid, &nats.Msg{Header: h.header, Data: body}, h, expect)
}

// append publishes a message to an order's log under the fence. The server treats
// two spellings of the filter as two fences, so this is the only place that writes
// the expectation.
func (b *Bus) append(ctx context.Context, op, terminal, order string, kind subjects.Kind, msg *nats.Msg, h headers, expect uint64) (uint64, error) {
	filter, err := b.space.Log(terminal, order)
	if err != nil {
		return 0, err
	}
	if msg.Subject, err = b.space.Journal(terminal, order, kind); err != nil {
		return 0, err
	}
	// A republished message keeps its headers: the stream of a shorter prefix, which
	// takes what is published under an order called "journal", refuses it.
	h.set(jetstream.ExpectedStreamHeader, b.space.StatusStream())
	h.set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(expect, 10))
	h.set(jetstream.ExpectedLastSubjSeqSubjHeader, filter)
	return b.publish(ctx, op, msg, expect)
}
