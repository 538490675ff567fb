package till

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/schema"
)

// startLimit is longer than the bridge's default START_DEADLINE, after which it answers
// in any case.
const startLimit = 45 * time.Second

// Payment starts a payment and shows its course until it is over.
type Payment struct {
	Till    *Till
	Screen  *Screen
	Request schema.StartRequest
	// Timeout is how long to wait for the end; longer than the bridge's
	// SESSION_TIMEOUT, so that the bridge's verdict is seen.
	Timeout time.Duration
	// Patience is how long the start is asked for; 45 s if zero.
	Patience time.Duration
	// Settle is how long to watch after a final status for what follows at once, such as
	// a reversal; the bridge's SETTLE_WINDOW. Zero: Run says that it did not.
	Settle time.Duration
	// JSON writes every message as a line instead of words.
	JSON bool
	// Interrupts carries the person's Ctrl-C: the first cancels the payment, the
	// second leaves it.
	Interrupts <-chan os.Signal
	// Now is the clock for elapsed times; time.Now if nil.
	Now func() time.Time
	// Every is client.Options.Every.
	Every time.Duration
}

// errStopped says that the person changed their mind in time.
var errStopped = errors.New("stopped before anything was started")

// drawEvery is how often the live line moves.
const drawEvery = 100 * time.Millisecond

// Run asks for the payment and returns when it is over, when it cannot be started, when
// the timeout has passed, or when it is left: by a second interrupt or the end of ctx. A
// payment that is left goes on. The error says why no payment was started; the outcome
// is OutcomeUnknown then.
func (p Payment) Run(ctx context.Context) (Outcome, error) {
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.Patience <= 0 {
		p.Patience = startLimit
	}
	select {
	case <-p.Interrupts:
		return OutcomeUnknown, errStopped
	default:
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &run{
		wanted: p,
		course: course{
			till: p.Till, screen: p.Screen, request: p.Request, settle: p.Settle, json: p.JSON, now: p.Now,
			began: p.Now(), status: starting,
		},
		started:   make(chan start),
		statuses:  make(chan news),
		notices:   make(chan client.Update),
		cancelled: make(chan error),
		pending:   true,
	}
	options := client.Options{Every: p.Every, SettleWindow: p.Settle, Notice: func(u client.Update) { hand(ctx, r.notices, u) }}
	if p.Settle <= 0 {
		options.SettleWindow = -1
	}
	bus, err := p.Till.client(options)
	if err != nil {
		return OutcomeUnknown, err
	}
	r.opening()
	r.tasks.Go(func() { r.pay(ctx, bus) })
	outcome, err := r.loop(ctx)
	p.Screen.Clear()
	cancel()
	r.tasks.Wait()
	return outcome, p.Till.named(err)
}

// hand hands a value over unless ctx ends before.
func hand[T any](ctx context.Context, to chan<- T, value T) bool {
	select {
	case to <- value:
		return true
	case <-ctx.Done():
		return false
	}
}

// run is a payment under way. What is not a channel belongs to the goroutine of loop.
type run struct {
	course
	wanted Payment
	tasks  sync.WaitGroup
	// started gets the result of the start, statuses what follows; it is closed at the
	// payment's end. cancelled gets the result of a cancellation.
	started   chan start
	statuses  chan news
	notices   chan client.Update
	cancelled chan error

	payment    *client.Payment // once it is started
	pending    bool            // the start has not ended
	interrupts int
}

type start struct {
	payment *client.Payment
	err     error
}

type news struct {
	status client.Status
	err    error
}

// pay starts the payment and passes its statuses on.
func (r *run) pay(ctx context.Context, bus *client.Client) {
	limited, cancel := context.WithTimeoutCause(ctx, r.wanted.Patience, client.ErrNoReply)
	payment, err := bus.Start(limited, r.wanted.Request)
	cancel()
	if payment != nil {
		defer payment.Close()
	}
	if !hand(ctx, r.started, start{payment, err}) || err != nil {
		return
	}
	defer close(r.statuses)
	for status, err := range payment.Statuses(ctx) {
		hand(ctx, r.statuses, news{status, err})
	}
}

func (r *run) loop(ctx context.Context) (Outcome, error) {
	timeout := time.NewTimer(r.wanted.Timeout)
	defer timeout.Stop()
	var frames <-chan time.Time
	if r.screen.Live() && !r.json {
		ticker := time.NewTicker(drawEvery)
		defer ticker.Stop()
		frames = ticker.C
	}
	for {
		r.draw(r.interrupts > 0)
		select {
		case <-frames:
			r.frame++
		case result := <-r.started:
			r.pending = false
			if result.err != nil {
				return OutcomeUnknown, result.err
			}
			r.payment = result.payment
			r.answered(result.payment)
			if r.interrupts == 1 {
				r.cancel(ctx)
			}
		case n, ok := <-r.statuses:
			if !ok && r.ending == nil { // the context is over
				return r.leave("left; ", r.pending), nil
			}
			if !ok {
				return r.conclude(), nil
			}
			if n.err != nil {
				return r.broken(n.err), nil
			}
			r.changed(n.status)
		case u := <-r.notices:
			r.note(u)
		case err := <-r.cancelled:
			r.cancelAnswered(err)
		case <-r.wanted.Interrupts:
			if r.interrupted(ctx) {
				return r.leave("left; ", r.pending), nil
			}
		case <-timeout.C:
			return r.leave("no end within "+formatElapsed(r.wanted.Timeout)+"; ", r.pending), nil
		case <-ctx.Done():
			return r.leave("left; ", r.pending), nil
		}
	}
}

// interrupted takes a person's Ctrl-C. It reports whether that ends the command.
func (r *run) interrupted(ctx context.Context) bool {
	r.interrupts++
	switch {
	case r.ending != nil, r.interrupts > 1:
		return true
	case r.pending:
		r.screen.Note("cancelling as soon as the bridge has answered; Ctrl-C again leaves")
	default:
		r.cancel(ctx)
	}
	return false
}

// cancel asks for the cancellation; its effect arrives as a status.
func (r *run) cancel(ctx context.Context) {
	r.screen.Note("cancelling; Ctrl-C again leaves")
	r.tasks.Go(func() {
		limited, cancel := context.WithTimeoutCause(ctx, commandLimit, client.ErrNoReply)
		_, err := r.payment.Cancel(limited)
		cancel()
		hand(ctx, r.cancelled, err)
	})
}
