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
	// Optional is set when only some set-ups need it.
	Optional bool
}

// Verb is "subscribe" or "publish".
func (r Right) Verb() string {
	if r.Subscribe {
		return "subscribe"
	}
	return "publish"
}

// nobody is a terminal and an order that do not exist. A probe needs some.
const nobody = "bridge-check"

// Rights lists what the bridge needs to be allowed; deploy/nats grants just that.
func (b *Bus) Rights() []Right {
	var (
		p       = b.space.Prefix()
		bucket  = b.space.SessionBucket()
		status  = b.space.StatusStream()
		queue   = b.space.SessionStream()
		records = b.bucketStream()
		list    []Right
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
	for _, c := range []subjects.Command{subjects.Start, subjects.Cancel, subjects.Get, subjects.List} {
		listen("take commands", b.space.Command(c))
		if c != subjects.List {
			listen("take commands", b.space.AllTerminalCommands(c))
		}
	}
	listen("be found as a micro service", "$SRV.PING", "$SRV.INFO", "$SRV.STATS")
	listen("get answers of JetStream", "_INBOX."+nobody+".*")
	write("answer requesters", "_INBOX."+nobody)
	list = append(list, Right{Subject: "_R_." + nobody, Why: "answer requesters of other accounts", Optional: true})
	write("lock terminals", p+"."+nobody+".session")
	write("publish statuses", p+"."+nobody+"."+nobody+"."+string(subjects.Journal))
	write("publish invalid events", p+"."+nobody+"."+nobody+"."+string(subjects.Invalid))
	write("keep records", "$KV."+bucket+"."+nobody)
	write("ask for JetStream", "$JS.API.INFO")
	for _, stream := range []string{status, queue, records} {
		write("look at its objects", "$JS.API.STREAM.INFO."+stream)
		write("read from the stream's leader", "$JS.API.STREAM.MSG.GET."+stream)
	}
	for _, stream := range []string{status, queue, records} {
		list = append(list, Right{Subject: "$JS.API.STREAM.CREATE." + stream, Why: "make its objects when they are not there", Optional: true})
	}
	write("set up its consumer", "$JS.API.CONSUMER.CREATE."+queue+"."+consumerName, "$JS.API.CONSUMER.INFO."+queue+"."+consumerName)
	write("be handed sessions", "$JS.API.CONSUMER.MSG.NEXT."+queue+"."+consumerName)
	write("keep, hand over and end sessions", "$JS.ACK."+queue+"."+consumerName+".1.1.1.1.1")
	write("watch records", "$JS.API.CONSUMER.CREATE."+records+"."+nobody+".$KV."+bucket+".>",
		"$JS.API.CONSUMER.DELETE."+records+"."+nobody, "$JS.FC."+records+"."+nobody)
	return list
}

// noStream is a name that no stream can have: a publish that expects it is
// stored by none.
const noStream = nobody + ".none"

// May asks the server for a right without using it: a subscription is given back
// at once, and a publish carries a reply subject that clients may not use, upon
// which the server drops it after having looked at the right. Nothing is
// delivered to anybody or stored, but the server logs a violation. The error
// means that it is not known.
func (b *Bus) May(ctx context.Context, r Right) (bool, error) {
	before := b.conn.LastError()
	if r.Subscribe {
		sub, err := b.conn.Subscribe(r.Subject, func(*nats.Msg) {})
		if err != nil {
			return false, fmt.Errorf("subscribe to %s: %w", r.Subject, err)
		}
		defer func() { _ = sub.Unsubscribe() }() // one that was refused is gone already
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
	// The server's word on the probe comes before its answer to the flush.
	err := b.conn.LastError()
	if err == nil || err == before || !errors.Is(err, nats.ErrPermissionViolation) { //nolint:errorlint // this very error
		return true, nil
	}
	return strings.Contains(err.Error(), "with Reply of"), nil
}
