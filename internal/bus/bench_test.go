package bus_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/internal/bus"
)

// percentiles reports the distribution of what was measured.
func percentiles(b *testing.B, took []time.Duration) {
	b.Helper()
	slices.Sort(took)
	at := func(p float64) float64 { return float64(took[int(p*float64(len(took)-1))].Microseconds()) }
	b.ReportMetric(at(0.5), "p50-µs")
	b.ReportMetric(at(0.99), "p99-µs")
	b.ReportMetric(at(1), "max-µs")
}

// BenchmarkAppendStatus compares one status under the fence with a bare publish of
// the same body.
func BenchmarkAppendStatus(b *testing.B) {
	s := ready(b, "")
	b.Run("bare publish", func(b *testing.B) {
		took := make([]time.Duration, 0, b.N)
		for i := 0; b.Loop(); i++ {
			begin := time.Now()
			body, err := json.Marshal(status("A", "initialized", uint64(i)).Event)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := s.js.Publish(b.Context(), "pos.T1.B"+strconv.Itoa(b.N)+".journal.status", body); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(begin))
		}
		percentiles(b, took)
	})
	b.Run("bare publish with headers", func(b *testing.B) {
		took := make([]time.Duration, 0, b.N)
		for i := 0; b.Loop(); i++ {
			begin := time.Now()
			st := status("A", "initialized", uint64(i))
			body, _ := json.Marshal(st.Event)
			msg := nats.NewMsg("pos.T1.C" + strconv.Itoa(b.N) + ".journal.status")
			msg.Data = body
			for k := range 13 {
				msg.Header["ce-header"+strconv.Itoa(k)] = []string{"some value of a header"}
			}
			msg.Header["Nats-Msg-Id"] = []string{strconv.Itoa(b.N) + "." + strconv.Itoa(i)}
			if _, err := s.js.PublishMsg(b.Context(), msg); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(begin))
		}
		percentiles(b, took)
	})
	b.Run("fenced", func(b *testing.B) {
		took := make([]time.Duration, 0, b.N)
		order := fmt.Sprintf("A%d", b.N)
		last := must(s.ReadLog(b.Context(), "T1", order, false))(b).Last
		for i := 0; b.Loop(); i++ {
			begin := time.Now()
			var err error
			if last, err = s.AppendStatus(b.Context(), status(order, "initialized", last+1), last); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(begin))
		}
		percentiles(b, took)
	})
}

// BenchmarkStart measures from the publish of a session to its delivery, with 16
// requesters who wait for it, and two replicas that acknowledge at once.
func BenchmarkStart(b *testing.B) {
	const often = time.Millisecond * 16 // 16 requesters: 1,000 a second
	b.Run("one server, as fast as possible", func(b *testing.B) { benchmarkStart(b, ready(b, ""), 0) })
	b.Run("one server, 1000 a second", func(b *testing.B) { benchmarkStart(b, ready(b, ""), often) })
	b.Run("cluster, as fast as possible", func(b *testing.B) { benchmarkStart(b, clustered(b), 0) })
	b.Run("cluster, 1000 a second", func(b *testing.B) { benchmarkStart(b, clustered(b), often) })
}

func benchmarkStart(b *testing.B, s *bundle, every time.Duration) {
	const requesters = 16
	delivered := map[string]chan time.Time{}
	for i := range requesters {
		delivered["T"+strconv.Itoa(i)] = make(chan time.Time, 1)
	}
	for _, replica := range []*bus.Bus{s.Bus, s.another()} {
		got, _ := deliveries(b, replica)
		for range requesters {
			go func() {
				for d := range got {
					at := time.Now()
					if err := replica.Ack(b.Context(), d.Handle); err != nil {
						b.Error(err)
					}
					delivered[d.Session.Nonce] <- at
				}
			}()
		}
	}
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		took []time.Duration
		n    atomic.Int64
	)
	b.ResetTimer()
	for terminal, done := range delivered {
		wg.Go(func() {
			var tick <-chan time.Time
			if every > 0 {
				tick = time.Tick(every)
			}
			for round := b.N; n.Add(1) <= int64(b.N); round++ {
				if every > 0 {
					<-tick
				}
				begin := time.Now()
				start := session(terminal+"-"+strconv.Itoa(round), "o") // a replicated queue is free a moment after the ack
				start.Nonce = terminal
				if _, err := s.Enqueue(b.Context(), start); err != nil {
					b.Error(err)
				}
				at := receive(b, done)
				mu.Lock()
				took = append(took, at.Sub(begin))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	percentiles(b, took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "starts/s")
}

// BenchmarkReadLog measures what a takeover reads: claim and five statuses.
func BenchmarkReadLog(b *testing.B) {
	for name, make := range map[string]func() *bundle{
		"one server": func() *bundle { return ready(b, "") },
		"cluster":    func() *bundle { return clustered(b) },
	} {
		s := make()
		last := appendAnyway(b, s, status("A", "initialized", 1), 0)
		for i := range uint64(4) {
			last = must(s.AppendStatus(b.Context(), status("A", "initialized", i+2), last))(b)
		}
		must(s.AppendClaim(b.Context(), "T1", "A", claim("T1", "A", 1), last))(b)
		b.Run(name+", leader", func(b *testing.B) {
			for b.Loop() {
				must(s.ReadLog(b.Context(), "T1", "A", true))(b)
			}
		})
		b.Run(name+", any copy", func(b *testing.B) {
			for b.Loop() {
				must(s.ReadLogFast(b.Context(), "T1", "A", false))(b)
			}
		})
	}
}
