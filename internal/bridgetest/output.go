package bridgetest

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// Output is what a command under test writes, and a place to wait for it.
type Output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed at the next write
}

// Write adds to the output.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.changed != nil {
		close(o.changed)
		o.changed = nil
	}
	return o.text.Write(p)
}

// String is the output so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Await waits until the output holds want.
func (o *Output) Await(t testing.TB, want string) {
	t.Helper()
	limit := time.NewTimer(Limit)
	defer limit.Stop()
	for {
		o.mu.Lock()
		text := o.text.String()
		if o.changed == nil {
			o.changed = make(chan struct{})
		}
		changed := o.changed
		o.mu.Unlock()
		if strings.Contains(text, want) {
			return
		}
		select {
		case <-changed:
		case <-limit.C:
			t.Fatalf("output without %q:\n%s", want, text)
		}
	}
}
