package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// AppendClaim publishes a claim if expect is the last sequence in the order's log;
// 0 stands for an empty log. The new claim replaces the previous one. done gets the
// outcome; the package comment lists the errors. Nothing is sent once ctx is over.
func (b *Bus) AppendClaim(ctx context.Context, terminal, order string, c payment.Claim, expect uint64, done Published) {
	body, err := json.Marshal(claimMessage{Version, c, c.Session, c.Session.Request.Amount, c.Session.Request.Currency})
	if err != nil {
		done(0, fmt.Errorf("write claim: %w", err))
		return
	}
	h := newHeaders()
	h.set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	if b.opts.ClaimTTL > 0 {
		h.set(jetstream.MsgTTLHeader, b.opts.ClaimTTL.String())
	}
	b.append(ctx, "publish claim", place{terminal, order, subjects.Claim}, &nats.Msg{Header: h.header, Data: body}, h, expect, done)
}

// AppendStatus publishes a status if expect is the last sequence in its order's
// log, as AppendClaim does.
func (b *Bus) AppendStatus(ctx context.Context, s payment.Status, expect uint64, done Published) {
	msg, h, err := statusMessage(b.source, s)
	if err != nil {
		done(0, err)
		return
	}
	b.append(ctx, "publish status", place{s.Event.TerminalID, s.Event.OrderID, subjects.Status}, msg, h, expect, done)
}

// AppendInvalid publishes an event that could not be understood if expect is the
// last sequence in its order's log, as AppendClaim does.
func (b *Bus) AppendInvalid(ctx context.Context, e schema.InvalidEvent, expect uint64, done Published) {
	body, err := json.Marshal(e)
	if err != nil {
		done(0, fmt.Errorf("write invalid event: %w", err))
		return
	}
	h := newHeaders()
	h.set("content-type", "application/json")
	h.set(headerVersion, writtenVersion)
	b.append(ctx, "publish invalid event", place{e.TerminalID, e.OrderID, subjects.Invalid}, &nats.Msg{Header: h.header, Data: body}, h, expect, done)
}

// place is a subject of an order's log.
type place struct {
	terminal, order string
	kind            subjects.Kind
}

// append publishes a message to an order's log under the fence. The server treats
// two spellings of the filter as two fences, so this is the only place that writes
// the expectation.
func (b *Bus) append(ctx context.Context, op string, to place, msg *nats.Msg, h headers, expect uint64, done Published) {
	filter, err := b.space.Log(to.terminal, to.order)
	if err == nil {
		msg.Subject, err = b.space.Journal(to.terminal, to.order, to.kind)
	}
	if err != nil {
		done(0, err)
		return
	}
	// A republished message keeps its headers: the stream of a shorter prefix, which
	// takes what is published under an order called "journal", refuses it.
	h.set(jetstream.ExpectedStreamHeader, b.space.StatusStream())
	h.set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(expect, 10))
	h.set(jetstream.ExpectedLastSubjSeqSubjHeader, filter)
	b.publish(ctx, op, msg, expect, done)
}
