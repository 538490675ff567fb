package till

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// Errors that a message makes which is not what its subject says.
var errNotOurs = errors.New("a message on a status subject is not a status event of the bridge's")

// FollowOptions say how to follow.
type FollowOptions struct {
	Filter
	// FromStart: the one order that is followed begins only now, so that its
	// first status event has sequence 1, and the bridge is asked for the order
	// when it has been silent. Terminal and Order must be given.
	FromStart bool
	// Replay begins with what the stream has from this time on. Zero: no replay.
	Replay time.Time
	// Every is how often the stream is read for what may have been missed without
	// anybody noticing; 15 s if zero.
	Every time.Duration
}

const (
	// followEvery is how often a Following looks for what it may have missed.
	followEvery = 15 * time.Second
	// gapTries and gapWait bound the search for a missing event: a replica of the
	// stream may lag behind what was already published.
	gapTries = 4
	gapWait  = 100 * time.Millisecond
)

// Following is a subscription under way. It is stopped by the context that it
// was made with.
type Following struct {
	till    *Till
	options FollowOptions
	ledger  ledger

	messages chan *nats.Msg // live, one after the other
	updates  chan Update
	nudges   chan struct{} // asks to catch up now; holds at most one
	ended    chan struct{} // closed when run has returned
	err      error         // why run returned; set before ended is closed

	// What follows belongs to run.
	subs    []*nats.Subscription
	dropped int   // messages that nats.go dropped so far
	seen    since // everything before it in the stream was shown
	denied  bool  // the user may not read the stream
}

// Follow subscribes, and returns when the server has taken the subscription:
// from then on no event is missed while the connection stands. With a replay it
// fails when the stream cannot be read. Receive from Updates until it is
// closed; ending ctx closes it.
func (t *Till) Follow(ctx context.Context, options FollowOptions) (*Following, error) {
	if err := options.check(); err != nil {
		return nil, err
	}
	if options.Every <= 0 {
		options.Every = followEvery
	}
	f := &Following{
		till:     t,
		options:  options,
		ledger:   ledger{fromStart: options.FromStart},
		messages: make(chan *nats.Msg),
		updates:  make(chan Update),
		nudges:   make(chan struct{}, 1),
		ended:    make(chan struct{}),
	}
	ctx, cancel := context.WithCancel(ctx)
	changes := t.conn.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.CLOSED)
	err := f.subscribe(ctx)
	if err == nil {
		err = f.begin(ctx)
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
		f.err = f.run(ctx, changes)
	}()
	return f, nil
}

// Updates carries every update, in order. It is closed at the end, see Err.
func (f *Following) Updates() <-chan Update { return f.updates }

// Err waits for the end and says why it came: the cause of the context's end,
// or ErrClosed.
func (f *Following) Err() error {
	<-f.ended
	return f.err
}

// CatchUp looks for missed events now instead of some time later. It does not
// wait.
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
		sub, err := f.till.subscribe(ctx, f.options.subject(f.till.settings.Space, kind), deliver)
		if _, denied := errors.AsType[*DeniedError](err); denied && kind == subjects.Invalid {
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
	f.till.conn.RemoveStatusListener(changes)
}

// begin finds the place in the stream from which on everything is shown.
func (f *Following) begin(ctx context.Context) error {
	switch {
	case !f.options.Replay.IsZero():
		f.seen = since{at: f.options.Replay}
		// Whether the stream can be read must be known now, not on the way.
		if _, err := f.till.lastStored(ctx, f.filter()); err != nil {
			return err
		}
	case f.options.FromStart:
		f.seen = since{sequence: 1}
	default:
		f.seen = since{at: time.Now()}
		last, err := f.till.lastStored(ctx, f.filter())
		switch {
		case err == nil:
			f.seen = since{sequence: last + 1}
		case f.isDenied(err):
			f.denied = true
		}
		// Otherwise the stream may not be there yet: by its time then.
	}
	return nil
}

// filter matches, in the stream, everything that is subscribed to.
func (f *Following) filter() string { return f.options.subject(f.till.settings.Space, "*") }

func (f *Following) isDenied(err error) bool {
	_, denied := errors.AsType[*DeniedError](err)
	return denied
}

// run owns the ledger: whatever is shown goes through it, in this goroutine.
func (f *Following) run(ctx context.Context, changes <-chan nats.Status) error {
	tick := time.NewTicker(f.options.Every)
	defer tick.Stop()
	if !f.options.Replay.IsZero() { // before anything live, which waits meanwhile
		if err := f.catchUp(ctx); err != nil {
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
			err = f.catchUp(ctx)
		case <-tick.C:
			switch {
			case !away:
				err = f.catchUp(ctx)
			case f.till.conn.IsConnected(): // a change that did not fit into the channel
				away = false
				err = f.back(ctx)
			}
		case status := <-changes:
			switch status {
			case nats.RECONNECTING:
				if !away {
					away = true
					err = f.tell(ctx, LinkUpdate{Up: false})
				}
			case nats.CONNECTED:
				if away {
					away = false
					err = f.back(ctx)
				}
			case nats.CLOSED:
				err = ErrClosed
			}
		}
		if err != nil {
			return err
		}
	}
}

// back catches up after a reconnect.
func (f *Following) back(ctx context.Context) error {
	_, err := f.till.lastStored(ctx, f.filter())
	f.denied = f.isDenied(err) // the rights may have changed meanwhile
	blind := f.denied || errors.Is(err, errNoHistory)
	if err := f.tell(ctx, LinkUpdate{Up: true, Blind: blind && !f.options.FromStart}); err != nil {
		return err
	}
	return f.catchUp(ctx)
}

// tell hands an update over. It fails only with the context's cause.
func (f *Following) tell(ctx context.Context, u Update) error {
	select {
	case f.updates <- u:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// live takes a message of the subscription.
func (f *Following) live(ctx context.Context, msg *nats.Msg) error {
	if dropped := f.droppedMessages(); dropped > f.dropped {
		f.dropped = dropped
		f.CatchUp()
	}
	e, err := f.statusOf(msg.Subject, msg.Data)
	if err != nil {
		return f.other(ctx, msg.Subject, msg.Data, err)
	}
	key := orderKey(e.TerminalID, e.OrderID)
	v, _ := f.ledger.judge(key, e.Sequence)
	switch _, known := f.ledger.last(key); {
	case f.denied:
	case v == gap:
		err = f.fill(ctx, e.TerminalID, e.OrderID, e.Sequence)
	case !known && e.Sequence > 1: // it may have begun while the connection was away
		_, err = f.readOrder(ctx, e.TerminalID, e.OrderID, f.seen, e.Sequence)
	}
	if err != nil {
		return err
	}
	return f.show(ctx, StatusUpdate{e, msg.Data}, true)
}

func (f *Following) droppedMessages() (sum int) {
	for _, sub := range f.subs {
		if n, err := sub.Dropped(); err == nil {
			sum += n
		}
	}
	return sum
}

// statusOf reads a status event and holds it to its subject.
func (f *Following) statusOf(subject string, data []byte) (schema.StatusEvent, error) {
	var e schema.StatusEvent
	terminal, order, kind, err := f.till.settings.Space.Parse(subject)
	if err != nil || kind != subjects.Status {
		return e, errNotOurs
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return e, errNotOurs
	}
	if e.TerminalID != terminal || e.OrderID != order || e.Sequence == 0 || e.Status == "" {
		return e, errNotOurs
	}
	return e, nil
}

// other takes a message that is no status event.
func (f *Following) other(ctx context.Context, subject string, data []byte, problem error) error {
	var e schema.InvalidEvent
	terminal, order, kind, err := f.till.settings.Space.Parse(subject)
	if err == nil && kind == subjects.Invalid && json.Unmarshal(data, &e) == nil && e.TerminalID == terminal && e.OrderID == order {
		problem = nil
	}
	if err == nil && kind == subjects.Claim {
		return nil // the bridge's own record of an order
	}
	key := contentKey(data)
	if v, _ := f.ledger.judge(key, 1); v == repeat { // seen live, and now in the stream
		return nil
	}
	f.ledger.enter(key, 1)
	if problem != nil {
		return f.tell(ctx, TroubleUpdate{problem})
	}
	return f.tell(ctx, InvalidUpdate{e, data})
}

// show tells a status event unless it was told before. missing says whether a
// gap before it is worth a word.
func (f *Following) show(ctx context.Context, u StatusUpdate, missing bool) error {
	key := orderKey(u.TerminalID, u.OrderID)
	v, last := f.ledger.judge(key, u.Sequence)
	if v == repeat {
		return nil
	}
	if v == gap && missing {
		if err := f.tell(ctx, MissedUpdate{u.TerminalID, u.OrderID, last + 1, u.Sequence - 1}); err != nil {
			return err
		}
	}
	f.ledger.enter(key, u.Sequence)
	return f.tell(ctx, u)
}

// take shows a message of the stream.
func (f *Following) take(ctx context.Context) func(stored) error {
	return func(m stored) error {
		e, err := f.statusOf(m.subject, m.data)
		if err != nil {
			return f.other(ctx, m.subject, m.data, err)
		}
		return f.show(ctx, StatusUpdate{e, m.data}, false)
	}
}
