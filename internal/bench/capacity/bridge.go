//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// apiKey is that of the one terminal group.
const apiKey = "capacity-key"

// replicasEach is how many replicas each prefix has.
const replicasEach = 2

// measureBridge makes whole payments with tills, bridges and a simulated provider, all
// on this machine.
func measureBridge(ctx context.Context, s settings, out io.Writer) error {
	fmt.Fprintln(out, "servers  prefixes  payments/s  start p50 ms  start p99 ms  stored/payment  bytes/payment  NATS CPU ms/payment  bridge CPU ms/payment  of each prefix")
	return s.each(func(servers, prefixes int) error {
		i, err := install(ctx, servers, s.always)
		if err != nil {
			return err
		}
		defer i.close() //nolint:errcheck // what is left is in the system's temporary folder
		if err := i.build(ctx, "bridge", "github.com/posbridge/bridge/cmd/bridge"); err != nil {
			return err
		}
		var shops []*shop
		for _, name := range prefixNames[:prefixes] {
			shop, err := i.open(ctx, name, s.workers)
			if err != nil {
				return err
			}
			defer shop.close()
			shops = append(shops, shop)
		}
		began, ofNATS, ofBridge := time.Now(), cpu(i.servers), cpu(i.others)
		limited, cancel := context.WithTimeout(ctx, s.duration)
		defer cancel()
		var work sync.WaitGroup
		for _, shop := range shops {
			for _, terminal := range shop.terminals {
				work.Go(func() { shop.till(limited, terminal) })
			}
		}
		work.Wait()
		seconds := time.Since(began).Seconds()
		var took []time.Duration
		var each []int
		for _, shop := range shops {
			if shop.failed != nil {
				return shop.failed
			}
			took, each = append(took, shop.took...), append(each, int(float64(len(shop.took))/seconds))
		}
		messages, size, err := i.stored(ctx, prefixNames[:prefixes])
		if err != nil {
			return err
		}
		slices.Sort(took)
		n := float64(len(took))
		ms := func(p float64) float64 { return float64(took[int(p*(n-1))].Microseconds()) / 1000 }
		fmt.Fprintf(out, "%7d  %8d  %10.0f  %12.1f  %12.1f  %14.1f  %13.0f  %19.2f  %21.2f  %v\n",
			servers, prefixes, n/seconds, ms(0.5), ms(0.99), messages/n, size/n, 1000*(cpu(i.servers)-ofNATS)/n, 1000*(cpu(i.others)-ofBridge)/n, each)
		return nil
	})
}

// shop is one prefix with its tills and its provider.
type shop struct {
	space     subjects.Space
	conn      *nats.Conn
	terminals []string
	sim       *simulator.Simulator
	api       *httptest.Server

	mu     sync.Mutex
	took   []time.Duration // of starts
	failed error
}

// open starts the provider and the replicas of a prefix.
func (i *installation) open(ctx context.Context, prefix string, terminals int) (*shop, error) {
	space, err := subjects.New(prefix)
	if err != nil {
		return nil, fmt.Errorf("use prefix: %w", err)
	}
	s := &shop{space: space, conn: i.conn}
	for n := range terminals {
		s.terminals = append(s.terminals, fmt.Sprintf("T%05d", n))
	}
	s.sim, err = simulator.New(simulator.Options{Pace: 1000, Groups: []simulator.Group{{ID: "1", APIKey: apiKey, Terminals: s.terminals}}})
	if err != nil {
		return nil, fmt.Errorf("start simulator: %w", err)
	}
	s.api = httptest.NewServer(s.sim.Handler())
	for n := range replicasEach {
		err := i.serve(ctx, "BRIDGE_SUBJECT_PREFIX="+prefix, "BRIDGE_API_URL="+s.api.URL+"/v1/json", "BRIDGE_API_KEY="+apiKey,
			fmt.Sprintf("BRIDGE_REPLICA_ID=%s-%d", prefix, n), fmt.Sprintf("BRIDGE_JETSTREAM_REPLICAS=%d", i.replicas))
		if err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

func (s *shop) close() {
	s.sim.Close()
	s.api.Close()
}

// till makes one payment after the other.
func (s *shop) till(ctx context.Context, terminal string) {
	for n := 0; ctx.Err() == nil; n++ {
		took, err := s.pay(context.WithoutCancel(ctx), terminal, fmt.Sprintf("%s-%d", terminal, n))
		s.mu.Lock()
		s.failed = errors.Join(s.failed, err)
		s.took = append(s.took, took)
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// payLimit bounds one payment.
const payLimit = time.Minute

// pay makes one payment to its final status.
func (s *shop) pay(ctx context.Context, terminal, order string) (start time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, payLimit)
	defer cancel()
	subject, err := s.space.Of(terminal, order, subjects.Status)
	if err != nil {
		return 0, err //nolint:wrapcheck // it says everything
	}
	heard, err := s.conn.SubscribeSync(subject)
	if err != nil {
		return 0, fmt.Errorf("subscribe: %w", err)
	}
	defer heard.Unsubscribe() //nolint:errcheck // the connection is there
	body, err := json.Marshal(schema.StartRequest{
		OrderID: order, TerminalID: terminal, Amount: 1250, Currency: "EUR", CustomInfo: &schema.CustomInfo{Custom1: "scenario:approve"},
	})
	if err != nil {
		return 0, fmt.Errorf("write start: %w", err)
	}
	began := time.Now()
	answer, err := s.conn.RequestWithContext(ctx, s.space.Command(subjects.Start), body)
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", order, err)
	}
	start = time.Since(began)
	var reply schema.StartReply
	if err := json.Unmarshal(answer.Data, &reply); err != nil || !reply.Created {
		return start, fmt.Errorf("start %s was answered %s", order, answer.Data)
	}
	for {
		m, err := heard.NextMsgWithContext(ctx)
		if err != nil {
			return start, fmt.Errorf("wait for the end of %s: %w", order, err)
		}
		var e schema.StatusEvent
		if err := json.Unmarshal(m.Data, &e); err != nil {
			return start, fmt.Errorf("read status of %s: %w", order, err)
		}
		if e.Final {
			return start, nil
		}
	}
}
