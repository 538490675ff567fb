package bridge

import (
	"context"
	"errors"
	"time"

	"github.com/posbridge/bridge/internal/multisafepay"
)

// What a record says of its session's event stream.
const (
	streamConnected    = "connected"
	streamReconnecting = "reconnecting"
	streamPolling      = "polling"
)

// streamNews is one thing that the event stream brought.
type streamNews struct {
	// at is when it was read, notBefore the earliest time at which it can have been
	// sent: what the reader had to wait with lets the next ones lie in the socket.
	at, notBefore time.Time
	// opened: a connection stands.
	opened bool
	// opening: the event may be what the server sends on connecting.
	opening bool
	// unsettled: something was said that has not become an event yet.
	unsettled bool
	event     multisafepay.StreamEvent
	// err is why a connection ended, or did not come to be; last tells that no
	// other one will be tried.
	err  error
	last bool
}

// startStream begins to supervise the order's event stream. Without one the
// order is asked for all the time.
func (f *follower) startStream(ctx context.Context) {
	ctx, f.stopStream = context.WithCancel(ctx)
	if f.giveUp {
		return
	}
	if f.stream.IsZero() {
		f.noteMet("No event stream to read; the provider is asked again and again")
		f.show(streamPolling)
		f.askSoon(0)
		return
	}
	f.news = make(chan streamNews)
	f.askIn(min(f.ReconcileInterval, streamPatience)) // for a stream that neither opens nor fails
	news, stream := f.news, f.stream
	f.wg.Go(func() { f.superviseStream(ctx, stream, news) })
}

// superviseStream keeps one connection to an event stream, with a pause that
// grows from attempt to attempt and begins anew after a healthy spell, until ctx
// is over or the stream is of no more use.
func (r *Replica) superviseStream(ctx context.Context, stream multisafepay.Stream, news chan<- streamNews) {
	var blocked stillness
	tell := func(n streamNews) {
		n.at = r.Clock.Now()
		n.notBefore = r.earliest(aftermath)
		if blocked.covers(n.at, aftermath) && blocked.from.Before(n.notBefore) {
			n.notBefore = blocked.from
		}
		select {
		case news <- n:
		case <-ctx.Done():
		}
		if taken := r.Clock.Now(); taken.Sub(n.at) > pulseInterval {
			blocked = stillness{from: n.notBefore, to: taken}
		}
	}
	pause := r.backoff()
	for {
		var opened, untilOpen time.Time
		err := r.Provider.Follow(ctx, stream, multisafepay.StreamHandler{
			Opened: func() {
				opened, untilOpen = time.Now(), r.Clock.Now().Add(sameEvent)
				r.Metrics.AddConnectedStreams(1)
				tell(streamNews{opened: true})
			},
			Event: func(e multisafepay.StreamEvent) {
				tell(streamNews{event: e, opening: r.earliest(aftermath).Before(untilOpen)})
				if e.Order != nil {
					untilOpen = time.Time{}
				}
			},
			Unsettled: func() { tell(streamNews{unsettled: true}) },
		})
		if !opened.IsZero() {
			r.Metrics.AddConnectedStreams(-1)
			if time.Since(opened) > r.BackoffMax {
				pause.Reset()
			}
		}
		if ctx.Err() != nil {
			return
		}
		last := errors.Is(err, multisafepay.ErrStreamRefused) || errors.Is(err, multisafepay.ErrStreamHost)
		tell(streamNews{err: err, last: last})
		if last || !sleep(ctx, max(pause.NextBackOff(), retryAfter(err))) {
			return
		}
		r.Metrics.StreamReconnected(multisafepay.Reason(err))
	}
}
