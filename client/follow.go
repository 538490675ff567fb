package client

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/subjects"
)

// FollowOptions say what to follow.
type FollowOptions struct {
	Filter
	// Replay begins with what the stream has from this time on. Zero: no replay.
	Replay time.Time
}

// Following follows the statuses of many orders. It is stopped by the context that it
// was made with.
type Following struct {
	client *Client
	filter Filter

	messages chan *nats.Msg // live, one after the other
	updates  chan Update
	nudges   chan struct{} // asks to catch up now; holds at most one
	ended    chan struct{} // closed when run has returned
	err      error         // why run returned; set before ended is closed

	// What follows belongs to run.
	subs    []*nats.Subscription
	dropped int // messages that nats.go dropped so far
	shower  *shower
	seeker  *seeker
}

// Follow subscribes, and returns when the server has taken the subscription: from then
// on no status is missed while the connection stands, and what was missed is read from
// the stream later. With a replay it fails when the stream cannot be read. Receive from
// Updates until it is closed; ending ctx closes it.
//
// It is for screens and logs. A consumer that must handle each status, also those of
// the time when it did not run, uses a durable consumer of the stream.
func (c *Client) Follow(ctx context.Context, options FollowOptions) (*Following, error) {
	return c.follow(ctx, options, false)
}

// follow is Follow. fromStart: the one order of the filter begins only now, so that its
// first status has sequence 1, and the bridge is asked for it when it has been silent.
func (c *Client) follow(ctx context.Context, options FollowOptions, fromStart bool) (*Following, error) {
	if err := options.check(); err != nil {
		return nil, err
	}
	f := &Following{
		client:   c,
		filter:   options.Filter,
		messages: make(chan *nats.Msg),
		updates:  make(chan Update),
		nudges:   make(chan struct{}, 1),
		ended:    make(chan struct{}),
	}
	f.shower = &shower{space: c.space, ledger: ledger{fromStart: fromStart}, updates: f.updates}
	f.seeker = &seeker{client: c, shower: f.shower, filter: f.filter, fromStart: fromStart}
	ctx, cancel := context.WithCancel(ctx)
	changes := c.nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.CLOSED)
	err := f.subscribe(ctx)
	if err == nil {
		err = f.seeker.begin(ctx, options.Replay)
	}
	if err != nil {
		cancel()
		f.unsubscribe(changes)
		return nil, err
	}
	go func() {
		defer close(f.ended)
		defer close(f.updates)
		defer f.unsubscribe(changes)
		defer cancel()
		f.err = f.run(ctx, changes, !options.Replay.IsZero())
	}()
	return f, nil
}

// Updates carries every update, in order. It is closed at the end, see Err.
func (f *Following) Updates() <-chan Update { return f.updates }

// Err waits for the end and says why it came: the cause of the context's end, or
// ErrClosed.
func (f *Following) Err() error {
	<-f.ended
	return f.err
}

// CatchUp looks for missed statuses now instead of some time later. It does not wait.
func (f *Following) CatchUp() {
	select {
	case f.nudges <- struct{}{}:
	default: // one is under way already
	}
}

func (f *Following) subscribe(ctx context.Context) error {
	deliver := func(msg *nats.Msg) {
		select {
		case f.messages <- msg:
		case <-ctx.Done():
		}
	}
	for _, kind := range []subjects.Kind{subjects.Status, subjects.Invalid} {
		sub, err := f.client.subscribe(ctx, f.filter.subject(f.client.space, kind), deliver)
		if isDenied(err) && kind == subjects.Invalid {
			continue // nice to have
		}
		if err != nil {
			return err
		}
		f.subs = append(f.subs, sub)
	}
	return nil
}

func (f *Following) unsubscribe(changes chan nats.Status) {
	for _, sub := range f.subs {
		_ = sub.Unsubscribe() // fails only when the connection is gone
	}
	f.client.nc.RemoveStatusListener(changes)
}

// run owns the ledger: whatever is shown goes through it, in this goroutine.
func (f *Following) run(ctx context.Context, changes <-chan nats.Status, replay bool) error {
	tick := time.NewTicker(f.client.options.Every)
	defer tick.Stop()
	if replay { // before anything live, which waits meanwhile
		if err := f.seeker.catchUp(ctx); err != nil {
			return err
		}
	}
	away := false
	for {
		var err error
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case msg := <-f.messages:
			err = f.live(ctx, msg)
		case <-f.nudges:
			err = f.seeker.catchUp(ctx)
		case <-tick.C:
			switch {
			case !away:
				err = f.seeker.catchUp(ctx)
			case f.client.nc.IsConnected(): // a change that did not fit into the channel
				away = false
				err = f.back(ctx)
			}
		case status := <-changes:
			away, err = f.changed(ctx, status, away)
		}
		if err != nil {
			return err
		}
	}
}

// changed takes a change of the connection, and says whether it is away now.
func (f *Following) changed(ctx context.Context, status nats.Status, away bool) (bool, error) {
	switch status {
	case nats.RECONNECTING:
		if !away {
			return true, f.shower.tell(ctx, Link{Up: false})
		}
	case nats.CONNECTED:
		if away {
			return false, f.back(ctx)
		}
	case nats.CLOSED:
		return true, ErrClosed
	}
	return away, nil
}

// back catches up after a reconnect.
func (f *Following) back(ctx context.Context) error {
	blind := f.seeker.look(ctx) // the rights may have changed meanwhile
	if err := f.shower.tell(ctx, Link{Up: true, Blind: blind && !f.seeker.fromStart}); err != nil {
		return err
	}
	return f.seeker.catchUp(ctx)
}

// live takes a message of the subscription.
func (f *Following) live(ctx context.Context, msg *nats.Msg) error {
	if dropped := f.droppedMessages(); dropped > f.dropped {
		f.dropped = dropped
		f.CatchUp()
	}
	if e, err := readStatus(f.client.space, msg.Subject, msg.Data); err == nil {
		if err := f.seeker.before(ctx, e); err != nil {
			return err
		}
	}
	return f.shower.take(ctx, msg.Subject, msg.Data)
}

func (f *Following) droppedMessages() (sum int) {
	for _, sub := range f.subs {
		if n, err := sub.Dropped(); err == nil {
			sum += n
		}
	}
	return sum
}
