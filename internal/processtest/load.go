package processtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posbridge/bridge/client"
)

// paymentLimit is how long one payment may take with everything broken in turn.
const paymentLimit = 2 * time.Minute

// Seed returns the seed of a random test: BRIDGE_SEED, or a new one. It is
// logged, so that the same faults can be drawn again.
func Seed(tb testing.TB) *rand.Rand {
	tb.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("BRIDGE_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			tb.Fatalf("BRIDGE_SEED: want a number: %v", err)
		}
	}
	tb.Logf("BRIDGE_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // a test's dice
}

// Count is a number of a random test: the variable of that name if it is set,
// else long when BRIDGE_LONG is set, else short.
func Count(tb testing.TB, name string, short, long int) int {
	tb.Helper()
	if text := os.Getenv(name); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			tb.Fatalf("%s: want a number from 1 on", name)
		}
		return n
	}
	if os.Getenv("BRIDGE_LONG") != "" {
		return long
	}
	return short
}

// Load is tills at work, one per terminal, each with one payment after the
// other.
type Load struct {
	scene *Scene
	// client makes every other payment.
	client *client.Client
	tb     testing.TB
	stop   chan struct{}
	tills  sync.WaitGroup
	begun  atomic.Int64
	ended  atomic.Int64

	mu     sync.Mutex
	finals map[string]int
}

// StartLoad sets the tills of all terminals to work. They make at least n
// payments, and go on until Stop; what they do is drawn from dice.
func (s *Scene) StartLoad(tb testing.TB, n int, dice *rand.Rand) *Load {
	tb.Helper()
	bus, err := client.New(s.Conn, client.Options{SettleWindow: -1})
	if err != nil {
		tb.Fatal(err)
	}
	l := &Load{scene: s, client: bus, tb: tb, stop: make(chan struct{}), finals: map[string]int{}}
	for _, terminal := range s.Terminals {
		own := rand.New(rand.NewPCG(dice.Uint64(), dice.Uint64())) //nolint:gosec // a test's dice
		l.tills.Go(func() { l.till(terminal, n, own) })
	}
	tb.Cleanup(func() { // when the test ended before Stop
		select {
		case <-l.stop:
		default:
			close(l.stop)
		}
	})
	return l
}

// behaviours of customers, and how often each is met.
var behaviours = []struct {
	scenario string
	weight   int
}{
	{"approve", 4},
	{"approve_with_tip", 1},
	{"soft_decline_then_approve", 6},
	{"decline_then_cancel", 3},
	{"cancel_on_terminal", 1},
	{"wait", 2}, // the till cancels
}

func behaviour(dice *rand.Rand) string {
	total := 0
	for _, b := range behaviours {
		total += b.weight
	}
	at := dice.IntN(total)
	for _, b := range behaviours {
		if at -= b.weight; at < 0 {
			return b.scenario
		}
	}
	return behaviours[0].scenario
}

func (l *Load) till(terminal string, n int, dice *rand.Rand) {
	for number := 1; ; number++ {
		if l.begun.Add(1) > int64(n) {
			select {
			case <-l.stop:
				return
			default:
			}
		}
		scenario := behaviour(dice)
		start := NewStart(terminal, fmt.Sprintf("%s-%d-%08x", terminal, number, dice.Uint32()), scenario)
		start.Amount = 100 + dice.Int64N(6000)
		ctx, cancel := context.WithTimeout(context.Background(), paymentLimit)
		var result Result
		var err error
		if number%2 == 0 {
			result, err = PayWithClient(ctx, l.client, start, scenario == "wait")
		} else {
			result, err = Pay(ctx, l.scene.Conn, start, scenario == "wait")
		}
		cancel()
		l.note(start, result, err)
		if err != nil {
			return
		}
	}
}

func (l *Load) note(start Start, r Result, err error) {
	l.ended.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
		l.tb.Errorf("payment %s: %v", start.OrderID, err)
	case r.Started.Error != nil:
		l.tb.Errorf("payment %s was refused: %s: %s", start.OrderID, r.Started.Error.Code, r.Started.Error.Message)
	default:
		l.finals[r.Final]++
	}
}

// Stop lets the tills finish what they have begun, and waits for them. Errors
// of single payments have failed the test by then.
func (l *Load) Stop() {
	l.tb.Helper()
	close(l.stop)
	l.tills.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tb.Logf("load: %d payments ended %v", l.ended.Load(), l.finals)
}

// WaitPayments waits until so many payments have ended.
func (l *Load) WaitPayments(n int) {
	l.tb.Helper()
	Until(l.tb, time.Minute+time.Duration(n)*time.Second, fmt.Sprintf("%d payments", n), func() bool { return l.ended.Load() >= int64(n) })
}

// Pass waits for a time drawn between two bounds, while the tills work. Nothing
// is waited for: it decides when the next fault strikes.
func Pass(ctx context.Context, dice *rand.Rand, from, to time.Duration) {
	timer := time.NewTimer(from + time.Duration(dice.Int64N(int64(to-from)+1)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
