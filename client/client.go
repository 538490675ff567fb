package client

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/subjects"
)

const (
	// settleWindow is the bridge's default BRIDGE_SETTLE_WINDOW, and a second for the
	// way of the last event.
	settleWindow = 4 * time.Second
	// every is how often a Following looks for what it may have missed.
	every = 15 * time.Second
	// answerLimit and cancelLimit are Client.answer and Client.cancel. A cancel asks the
	// provider twice, see BRIDGE_REQUEST_TIMEOUT.
	answerLimit = 12 * time.Second
	cancelLimit = 25 * time.Second
	// flushLimit is how long the server may take to answer a ping.
	flushLimit = 5 * time.Second
)

// Options of a Client. The zero value is right for a bridge with default settings.
type Options struct {
	// Prefix is the bridge's BRIDGE_SUBJECT_PREFIX; "pos" if empty.
	Prefix string
	// JetStreamAPI begins the subjects of the JetStream API; "$JS.API" if empty. With a
	// JetStream domain it is "$JS.<domain>.API".
	JetStreamAPI string
	// SettleWindow is how long a payment is followed after its final status, for a
	// reversal that follows at once: a little longer than the bridge's
	// BRIDGE_SETTLE_WINDOW. 4 s if zero; negative: not at all.
	SettleWindow time.Duration
	// Every is how often the stream is read, and the bridge asked for a silent payment,
	// for what may have been missed without anybody noticing; 15 s if zero.
	Every time.Duration
	// Notice is told everything about payments and commands but statuses, for logs and
	// screens: that the connection is lost, that a command is sent again. It is called
	// from several goroutines, and what it takes long for waits. Nil: nobody is told.
	Notice func(Update)
}

// Client asks a bridge for payments, over one connection. Its methods may be called
// from several goroutines.
type Client struct {
	nc      *nats.Conn
	space   subjects.Space
	options Options
	// answer is how long one request waits for its answer before it counts as lost, and
	// cancel the same for a cancel. Each may be sent again, so neither need be longer
	// than an answer usually takes.
	answer, cancel time.Duration
	// blind is 1 more than the number of reconnects at which the server refused to let
	// this user read the stream; until the next reconnect it is not asked again.
	blind atomic.Uint64
}

// New makes a client that uses nc, which stays the caller's: the client never closes
// it. It fails when a prefix in options is none.
func New(nc *nats.Conn, options Options) (*Client, error) {
	if options.Prefix == "" {
		options.Prefix = subjects.DefaultPrefix
	}
	space, err := subjects.New(options.Prefix)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	options.JetStreamAPI = strings.TrimSuffix(options.JetStreamAPI, ".")
	if options.JetStreamAPI == "" {
		options.JetStreamAPI = "$JS.API"
	}
	if strings.ContainsAny(options.JetStreamAPI, " \t\r\n*>") {
		return nil, errors.New("make client: JetStreamAPI must be a subject without wildcards")
	}
	if options.SettleWindow == 0 {
		options.SettleWindow = settleWindow
	}
	if options.Every <= 0 {
		options.Every = every
	}
	return &Client{nc: nc, space: space, options: options, answer: answerLimit, cancel: cancelLimit}, nil
}

func (c *Client) notice(u Update) {
	if c.options.Notice != nil {
		c.options.Notice(u)
	}
}

// usable says whether something can be sent now: nil, ErrAway or ErrClosed.
func (c *Client) usable() error {
	switch c.nc.Status() {
	case nats.CONNECTED:
		return nil
	case nats.CLOSED, nats.DRAINING_PUBS, nats.DRAINING_SUBS:
		return ErrClosed
	}
	return ErrAway
}

// awaitConnection returns when the connection stands, or with ErrClosed or the
// context's cause.
func (c *Client) awaitConnection(ctx context.Context) error {
	changes := c.nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer c.nc.RemoveStatusListener(changes)
	for {
		if err := c.usable(); !errors.Is(err, ErrAway) {
			return err
		}
		select {
		case <-changes:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// connectionError names nats.go's errors of a connection that is not there. It returns
// others as they are. nats.go calls a connection closed too when it was lost under a
// flush and is being made anew.
func (c *Client) connectionError(err error) error {
	switch {
	case errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrConnectionClosed) && !errors.Is(c.usable(), ErrClosed):
		return ErrAway
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionDraining), errors.Is(err, nats.ErrBadSubscription):
		return ErrClosed
	}
	return err
}

// denial waits until the server has read what was sent, and tells whether it refused
// to publish to subject or to subscribe to inbox; either may be empty. before is the
// connection's last error before it was sent. The server reports a missing right
// beside the request, which would otherwise wait for an answer until its limit.
func (c *Client) denial(ctx context.Context, before error, subject, inbox string) *DeniedError {
	ctx, cancel := context.WithTimeout(ctx, flushLimit)
	defer cancel()
	if c.nc.FlushWithContext(ctx) != nil {
		return nil // the connection was lost; whoever waits for the answer learns it
	}
	last := c.nc.LastError()
	if last == before || !errors.Is(last, nats.ErrPermissionViolation) { //nolint:errorlint // another violation is another error
		return nil
	}
	switch {
	case subject != "" && names(last, subject):
		return &DeniedError{Subject: subject}
	case inbox != "" && names(last, inbox):
		return &DeniedError{Subject: inbox[:strings.LastIndexByte(inbox, '.')+1] + ">", Subscribe: true}
	}
	return nil
}

// names tells whether a permissions violation is about subject. nats.go has nothing
// but the server's text.
func names(err error, subject string) bool {
	return strings.Contains(err.Error(), strconv.Quote(subject))
}

// subscribe subscribes and makes sure that the server took the subscription. The
// handler's goroutine is nats.go's; messages of one subscription come one after the
// other.
func (c *Client) subscribe(ctx context.Context, subject string, handle nats.MsgHandler) (*nats.Subscription, error) {
	before := c.nc.LastError()
	sub, err := c.nc.Subscribe(subject, handle)
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", subject, c.connectionError(err))
	}
	if err = c.settled(ctx); err == nil {
		last := c.nc.LastError()
		if last != before && errors.Is(last, nats.ErrPermissionViolation) && names(last, subject) { //nolint:errorlint // as in denial
			err = &DeniedError{Subject: subject, Subscribe: true}
		}
	}
	if err != nil {
		_ = sub.Unsubscribe() // the connection may be gone, and the subscription with it
		return nil, fmt.Errorf("subscribe to %s: %w", subject, c.connectionError(err))
	}
	return sub, nil
}

// settled returns when the server has read what was sent. A connection that is lost
// meanwhile is waited for: nats.go subscribes again on the next one.
func (c *Client) settled(ctx context.Context) error {
	for {
		flush, cancel := context.WithTimeout(ctx, flushLimit)
		err := c.nc.FlushWithContext(flush)
		cancel()
		if !errors.Is(err, nats.ErrConnectionClosed) {
			return err
		}
		if err := c.awaitConnection(ctx); err != nil {
			return err
		}
	}
}
