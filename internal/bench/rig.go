//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

const (
	// readyLimit bounds how long a program may take to serve.
	readyLimit = 30 * time.Second
	// startLimit bounds how long one start may take.
	startLimit = 40 * time.Second
	// openLimit bounds how long the last streams may take after the last start.
	openLimit = time.Minute
	// providerRate is BRIDGE_PROVIDER_RATE, its default.
	providerRate = 20
)

// programs are the paths of what is run.
type programs struct {
	nats, naive, bridge string
	// contract has the naive program publish what the contract asks for.
	contract bool
}

// rig is one measurement: a NATS server process, a provider, a subscriber and
// the program that is measured, all of them new.
type rig struct {
	dir      string
	programs programs
	natsURL  string
	conn     *nats.Conn
	provider *provider
	subject  *process   // what is measured
	running  []*process // all, the first is NATS

	mu       sync.Mutex
	sequence map[string]uint64  // of the last status of each order
	torn     int                // statuses that did not continue their order's sequence
	onStatus func(order string) // may be nil
}

// newRig starts NATS, the provider and the program of a name, "naive" or "bridge".
func newRig(ctx context.Context, p programs, name string) (*rig, error) {
	dir, err := os.MkdirTemp("", "bridge-bench-")
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	r := &rig{dir: dir, programs: p, sequence: map[string]uint64{}}
	err = r.prepare(ctx)
	if err == nil && name == "naive" {
		r.subject, err = r.startNaive(ctx)
	} else if err == nil {
		r.subject, err = r.startBridge(ctx, name)
	}
	if err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *rig) prepare(ctx context.Context) (err error) {
	if r.provider, err = startProvider(); err != nil {
		return err
	}
	address, err := freeAddress()
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	r.natsURL = "nats://" + address
	server, err := r.launch("nats", nil, r.programs.nats, "-js", "-sd", r.dir, "-a", host, "-p", port)
	if err != nil {
		return err
	}
	if err := until(ctx, readyLimit, "NATS accepts connections", func() bool {
		r.conn, err = nats.Connect(r.natsURL, nats.Name("bench"))
		return err == nil || server.ended() != nil
	}); err != nil || r.conn == nil {
		return errors.Join(err, server.ended())
	}
	s, err := r.conn.Subscribe(subjects.Default().All(subjects.Status), r.receive)
	if err != nil {
		return fmt.Errorf("subscribe to statuses: %w", err)
	}
	return s.SetPendingLimits(-1, -1)
}

func (r *rig) launch(name string, env []string, path string, args ...string) (*process, error) {
	p, err := launch(r.dir, name, env, path, args...)
	if err == nil {
		r.running = append(r.running, p)
	}
	return p, err
}

func (r *rig) startNaive(ctx context.Context) (*process, error) {
	p, err := r.launch("naive", nil, r.programs.naive, "-nats", r.natsURL, "-api", r.provider.url, "-key", key, "-contract="+strconv.FormatBool(r.programs.contract))
	if err != nil {
		return nil, err
	}
	err = until(ctx, readyLimit, "the naive program serves", func() bool {
		_, err := r.conn.Request(subjects.Default().Command(subjects.Start), []byte(`{}`), time.Second)
		return err == nil || p.ended() != nil
	})
	return p, errors.Join(err, p.ended())
}

// startBridge runs one replica with the settings that a user gets.
func (r *rig) startBridge(ctx context.Context, name string) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p, err := r.launch(name, []string{
		"BRIDGE_NATS_URL=" + r.natsURL, "BRIDGE_API_URL=" + r.provider.url, "BRIDGE_API_KEY=" + key, "BRIDGE_HTTP_ADDR=" + address,
		"BRIDGE_REPLICA_ID=" + name, "BRIDGE_REPLICA_TTL=10s", "BRIDGE_PROVIDER_RATE=" + strconv.Itoa(providerRate),
	}, r.programs.bridge, "serve")
	if err != nil {
		return nil, err
	}
	ready, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", http.NoBody)
	if err != nil {
		return nil, err
	}
	client := http.Client{Timeout: time.Second}
	defer client.CloseIdleConnections()
	err = until(ctx, readyLimit, "the bridge serves", func() bool {
		resp, err := client.Do(ready)
		if err != nil {
			return p.ended() != nil
		}
		_ = resp.Body.Close() // nothing of it was read
		return resp.StatusCode == http.StatusOK
	})
	return p, errors.Join(err, p.ended())
}

// receive takes one status from NATS.
func (r *rig) receive(m *nats.Msg) {
	var e schema.StatusEvent
	_ = json.Unmarshal(m.Data, &e)        // what is unreadable counts as torn
	n, _ := strconv.Atoi(e.TransactionID) // 0: a status that was not sent here
	r.provider.ledger.receive(n)
	r.mu.Lock()
	if e.Sequence != r.sequence[e.OrderID]+1 {
		r.torn++
	}
	r.sequence[e.OrderID] = e.Sequence
	then := r.onStatus
	r.mu.Unlock()
	if then != nil && n > 0 {
		then(e.OrderID)
	}
}

// start starts n payments on n terminals; each requester sends one after the
// other. It returns how long each took, sorted, and ends at the first that failed.
func (r *rig) start(ctx context.Context, n, requesters int) ([]time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	took := make([]time.Duration, n)
	var work sync.WaitGroup
	for range requesters {
		work.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && ctx.Err() == nil; i = next.Add(1) - 1 {
				begun := time.Now()
				if err := r.startOne(ctx, i); err != nil {
					cancel(err)
				}
				took[i] = time.Since(begun)
			}
		})
	}
	work.Wait()
	slices.Sort(took)
	return took, context.Cause(ctx)
}

func (r *rig) startOne(ctx context.Context, i int64) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	order := fmt.Sprintf("bench-%05d", i)
	body, err := json.Marshal(schema.StartRequest{OrderID: order, TerminalID: fmt.Sprintf("T%05d", i), Amount: 1000 + i, Currency: "EUR"})
	if err != nil {
		return fmt.Errorf("write start: %w", err)
	}
	m, err := r.conn.RequestWithContext(ctx, subjects.Default().Command(subjects.Start), body)
	if err != nil {
		return fmt.Errorf("start %s: %w", order, err)
	}
	var reply schema.StartReply
	if err := json.Unmarshal(m.Data, &reply); err != nil || !reply.Created {
		return fmt.Errorf("start %s was answered %s", order, m.Data)
	}
	return nil
}

// open starts n payments and waits until the provider serves their streams. It
// returns the seconds from the first start to the last stream.
func (r *rig) open(ctx context.Context, n, requesters int) (float64, error) {
	begun := time.Now()
	if _, err := r.start(ctx, n, requesters); err != nil {
		return 0, err
	}
	err := r.followed(ctx, openLimit, n)
	_, last := r.provider.opened(begun)
	return last, err
}

// followed waits until n orders have a stream.
func (r *rig) followed(ctx context.Context, limit time.Duration, n int) error {
	if err := until(ctx, limit, fmt.Sprintf("%d orders are followed", n), func() bool { return r.provider.follows() == n }); err != nil {
		return fmt.Errorf("%w; %d are", err, r.provider.follows())
	}
	return nil
}

// settled waits until every status has arrived, once and in order.
func (r *rig) settled(ctx context.Context, limit time.Duration) error {
	err := until(ctx, limit, "every status has arrived", func() bool { return r.missing() == 0 })
	r.mu.Lock()
	defer r.mu.Unlock()
	sent, missing, doubled := r.provider.ledger.count()
	if err == nil && r.torn+doubled == 0 {
		return nil
	}
	return errors.Join(err, fmt.Errorf("of %d statuses %d are missing, %d came twice, %d out of sequence", sent, missing, doubled, r.torn))
}

func (r *rig) missing() int {
	_, missing, _ := r.provider.ledger.count()
	return missing
}

// emit gives every order n new statuses, see provider.emit.
func (r *rig) emit(n int, status string) {
	for _, o := range r.provider.all() {
		r.provider.emit(o, n, status)
	}
}

// cpu is the processor time of this process and all that it started, in seconds.
func (r *rig) cpu() float64 {
	sum := cpu(os.Getpid())
	for _, p := range r.running {
		sum += p.cpu()
	}
	return sum
}

// close ends everything and removes what was stored.
func (r *rig) close() {
	if r.conn != nil {
		r.conn.Close()
	}
	for _, p := range slices.Backward(r.running) {
		p.kill()
	}
	if r.provider != nil {
		_ = r.provider.server.Close() // every stream with it
	}
	_ = os.RemoveAll(r.dir) // what is left is in the system's temporary folder
}
