package bridge

import (
	"testing"
	"time"
)

func TestPulse(t *testing.T) {
	t.Parallel()
	var p pulse
	began := time.Now()
	at := func(d time.Duration) (local, shared time.Time) {
		return began.Add(d), began.Add(d + time.Hour).UTC().Round(0) // the bus is an hour ahead
	}
	want := func(now, earliest time.Duration) {
		t.Helper()
		_, shared := at(earliest)
		local, nowShared := at(now)
		if got := p.earliest(local, nowShared, aftermath); !got.Equal(shared) {
			t.Errorf("what is read at %s can have been sent at %s, want %s", now, got.Sub(shared)+earliest, earliest)
		}
	}
	want(0, 0)
	for i := range time.Duration(10) {
		p.beat(at(i * pulseInterval))
	}
	want(time.Second, time.Second)
	want(time.Minute, time.Second) // nobody has beaten in between
	p.beat(at(time.Minute + time.Millisecond))
	want(time.Minute+time.Millisecond, time.Second)
	for d := time.Minute; d < time.Minute+2*aftermath; d += pulseInterval {
		p.beat(at(d))
	}
	want(time.Minute+2*aftermath, time.Minute+2*aftermath)
}

// A process that stands still twice, with a moment in between: what lay there
// since the first time is read after the second. A stall that CatchUp cannot
// bridge is noticed.
func TestPulseStandsStillTwice(t *testing.T) {
	t.Parallel()
	var p pulse
	began := time.Now()
	at := func(d time.Duration) (local, shared time.Time) { return began.Add(d), began.Add(d) }
	p.beat(at(0))
	p.beat(at(10 * time.Second))
	local, shared := at(10*time.Second + sameEvent + time.Millisecond)
	if got := p.earliest(local, shared, aftermath); got.After(began) {
		t.Errorf("what is read now can have been sent at %s at the earliest; it may have lain there since 0", got.Sub(began))
	}
}

// A process that stutters does not make every request as old as its first
// stutter.
func TestStutterDoesNotAgeRequests(t *testing.T) {
	t.Parallel()
	var p pulse
	now := time.Now()
	p.beat(now, now)
	for range 60 { // 36 s: each time 320 ms of stillness, then awake for 300 ms
		now = now.Add(320 * time.Millisecond)
		p.beat(now, now)
		for range 3 {
			now = now.Add(100 * time.Millisecond)
			p.beat(now, now)
		}
	}
	now = now.Add(320 * time.Millisecond)
	if got := now.Sub(p.earliest(now, now, requestAftermath)); got > 2*time.Second {
		t.Errorf("a request that is read after 320 ms of stillness counts as %s old", got)
	}
}
