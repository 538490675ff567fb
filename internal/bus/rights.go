package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/subjects"
)

// Right is one thing that the bridge does on the bus.
type Right struct {
	// Subscribe is true for listening, false for publishing.
	Subscribe bool
	Subject   string
	// Why says what the bridge needs it for.
	Why string
	// Optional rights are needed in some environments only.
	Optional bool
}

// Verb is "subscribe" or "publish".
func (r Right) Verb() string {
	if r.Subscribe {
		return "subscribe"
	}
	return "publish"
}

// Rights lists the permissions that the bridge needs; deploy/nats grants exactly
// these.
func (b *Bus) Rights() []Right {
	var (
		p      = b.space.Prefix()
		status = b.space.StatusStream()
		queue  = b.space.SessionStream()
		list   []Right
	)
	listen := func(why string, names ...string) {
		for _, s := range names {
			list = append(list, Right{Subscribe: true, Subject: s, Why: why})
		}
	}
	write := func(why string, names ...string) {
		for _, s := range names {
			list = append(list, Right{Subject: s, Why: why})
		}
	}
	for _, c := range subjects.Commands() {
		listen("take commands", b.space.Command(c))
		if c != subjects.List {
			listen("take commands", b.space.AllTerminalCommands(c))
		}
	}
	listen("be found as a micro service", "$SRV.PING", "$SRV.INFO", "$SRV.STATS")
	listen("get answers and sessions of JetStream", "_INBOX."+nobody, "_INBOX."+nobody+".*")
	write("answer requesters and other replicas", "_INBOX."+nobody+"."+nobody)
	list = append(list, Right{Subject: "_R_." + nobody, Why: "answer requesters of other accounts", Optional: true})
	write("lock terminals", p+"."+nobody+".session")
	journal := p + "." + nobody + "." + nobody + "." + string(subjects.Journal) + "."
	write("publish statuses", journal+string(subjects.Status))
	write("publish invalid events", journal+string(subjects.Invalid))
	write("claim orders", journal+string(subjects.Claim))
	listen("answer other replicas", p+"._replica."+nobody)
	write("ask other replicas", p+"._replica."+nobody)
	write("ask for JetStream", b.apiSubject("INFO"))
	list = append(list, b.listStreams())
	for _, stream := range []string{status, queue} {
		write("look at its objects", b.apiSubject("STREAM.INFO", stream))
		write("read from the stream's leader", b.apiSubject("STREAM.MSG.GET", stream))
		list = append(list, Right{Subject: b.apiSubject("STREAM.CREATE", stream), Why: "create its missing objects", Optional: true})
	}
	write("read orders", b.apiSubject("DIRECT.GET", status))
	write("watch orders", b.apiSubject("CONSUMER.CREATE", status, nobody, b.space.AllLogs()), b.apiSubject("CONSUMER.MSG.NEXT", status, nobody))
	write("set up its consumer", b.apiSubject("CONSUMER.CREATE", queue, consumerName), b.apiSubject("CONSUMER.INFO", queue, consumerName))
	list = append(list, Right{Subject: b.apiSubject("CONSUMER.RESET", queue, consumerName), Why: "reset its consumer when it is ahead of the queue", Optional: true})
	write("receive sessions", b.apiSubject("CONSUMER.MSG.NEXT", queue, consumerName))
	write("remove sessions", b.apiSubject("STREAM.MSG.DELETE", queue))
	write("keep, hand over and end sessions", handlePrefix+queue+"."+consumerName+".1.1.1.1.1")
	return list
}

func (b *Bus) listStreams() Right {
	return Right{Subject: b.apiSubject("STREAM.NAMES"), Why: "leave commands to bridges with a longer prefix", Optional: true}
}

// May asks the server for a right without using it. It ends a subscription at
// once. A publish carries a reply subject that clients must not use: the server
// checks the right first and then drops the message. Nothing is delivered or
// stored, but the server logs a violation. After an error the answer is unknown.
func (b *Bus) May(ctx context.Context, r Right) (bool, error) {
	before := b.conn.LastError()
	if r.Subscribe {
		sub, err := b.conn.Subscribe(r.Subject, func(*nats.Msg) {})
		if err != nil {
			return false, fmt.Errorf("subscribe to %s: %w", r.Subject, err)
		}
		defer func() { _ = sub.Unsubscribe() }() // fails if it was refused
	} else {
		probe := nats.NewMsg(r.Subject)
		probe.Reply = "_R_." + nobody
		probe.Header.Set(jetstream.ExpectedStreamHeader, noStream)
		if err := b.conn.PublishMsg(probe); err != nil {
			return false, fmt.Errorf("publish to %s: %w", r.Subject, err)
		}
	}
	ctx, cancel := limit(ctx)
	defer cancel()
	if err := b.conn.FlushWithContext(ctx); err != nil {
		return false, fmt.Errorf("ask for the right to %s: %w", r.Subject, err)
	}
	// The server reports a violation before it answers the flush.
	err := b.conn.LastError()
	if err == nil || err == before || !errors.Is(err, nats.ErrPermissionViolation) { //nolint:errorlint // this very error
		return true, nil
	}
	return strings.Contains(err.Error(), "with Reply of"), nil
}
