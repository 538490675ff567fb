package follower

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/payment"
)

// Readiness tells of trouble while messages cannot be stored, and no longer: however
// the waiting ends.
func TestTroubleEndsWithItsMessage(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		end  error
		stop bool
		want payment.Event
	}{
		"stored":  {want: payment.Stored{Seq: 7}},
		"refused": {end: bus.ErrConflict, want: payment.Refused{}},
		"left":    {stop: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				l := newLogLane(nil)
				down, began := errors.New("down"), time.Now()
				done := make(chan payment.Event, 1)
				go l.run(t.Context())
				l.add(&write{
					ctx: ctx,
					publish: func(_ context.Context, done bus.Published) {
						if time.Since(began) < time.Minute {
							done(0, down)
							return
						}
						done(7, tt.end)
					},
					done: func(e payment.Event) { done <- e },
				})
				sleep(t.Context(), writesLimit-time.Millisecond)
				if err := l.writes.trouble(); err != nil {
					t.Errorf("too early: %v", err)
				}
				sleep(t.Context(), 2*time.Millisecond)
				if err := l.writes.trouble(); !errors.Is(err, down) {
					t.Errorf("got %v, want the reason", err)
				}
				if tt.stop {
					cancel()
				}
				if got := <-done; got != tt.want {
					t.Errorf("got %v, want %v", got, tt.want)
				}
				sleep(t.Context(), writesLimit)
				if err := l.writes.trouble(); err != nil {
					t.Errorf("got %v when nothing waits any more", err)
				}
				cancel()
			})
		})
	}
}
