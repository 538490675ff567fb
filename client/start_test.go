package client_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/internal/bridgetest"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

var request = schema.StartRequest{TerminalID: "T1", OrderID: "a", Amount: 1250, Currency: "EUR"}

func created(r schema.StartRequest) (any, error) {
	return schema.StartReply{
		OrderID: r.OrderID, TerminalID: r.TerminalID, SessionID: "session-1",
		Status: schema.StatusCreated, StatusSubject: "pos.T1.a.status", Created: true,
	}, nil
}

// start starts the payment, which is closed when the test ends.
func start(t *testing.T, c *client.Client) *client.Payment {
	t.Helper()
	p, err := c.Start(limited(t), request)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(p.Close)
	return p
}

// within starts the payment with a deadline.
func within(t *testing.T, c *client.Client, limit time.Duration) (*client.Payment, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	p, err := c.Start(ctx, request)
	if err == nil {
		t.Cleanup(p.Close)
	}
	return p, err
}

// ends waits for the payment's end and compares what it says.
func ends(t *testing.T, p *client.Payment, want schema.Outcome) {
	t.Helper()
	result, err := p.Wait(limited(t))
	if err != nil || result.Outcome != want {
		t.Fatalf("got %q, %v, want %q", result.Outcome, err, want)
	}
}

// Every code of the bridge has its error, and no other. Those that say that nothing was
// started are Start's error.
func TestStartRefused(t *testing.T) {
	t.Parallel()
	codes := map[schema.Code]struct {
		is    error
		tries int64
	}{
		schema.InvalidRequest:      {client.ErrInvalidRequest, 1},
		schema.UnknownTerminal:     {client.ErrUnknownTerminal, 1},
		schema.NotFound:            {client.ErrNotFound, 0},
		schema.TerminalBusy:        {client.ErrTerminalBusy, 1},
		schema.OrderConflict:       {client.ErrOrderConflict, 1},
		schema.ProviderRejected:    {client.ErrProviderRejected, 1},
		schema.ProviderError:       {client.ErrProviderError, 1},
		schema.ProviderUnavailable: {client.ErrProviderUnavailable, 1},
		schema.ShuttingDown:        {client.ErrShuttingDown, 0},
		schema.OutcomeUnknown:      {client.ErrOutcomeUnknown, 0},
	}
	if len(codes) != len(schema.Codes()) {
		t.Errorf("got errors for %d codes, want %d", len(codes), len(schema.Codes()))
	}
	for code, want := range codes {
		for other := range codes {
			if got := errors.Is(&client.Error{Reply: schema.Error{Code: other}}, want.is); got != (code == other) {
				t.Errorf("%s is the error of %s: %t", other, code, got)
			}
		}
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			var tries atomic.Int64
			s := setup(t, bridgetest.Handlers{Start: func(schema.StartRequest) (any, error) {
				tries.Add(1)
				return nil, schema.NewError(code, "no, for a reason")
			}}, bridgetest.Options{})
			limit := bridgetest.Limit
			if code == schema.ProviderUnavailable || code == schema.ShuttingDown { // asked again until then
				limit = 3 * time.Second
			}
			p, err := within(t, s.client, limit)
			if want.tries == 0 { // it is not known whether the payment was started
				if err != nil || !errors.Is(p.Doubt(), want.is) {
					t.Fatalf("got %v, want a payment in doubt for %v", err, want.is)
				}
				return
			}
			refused, ok := errors.AsType[*client.Error](err)
			if !ok || !errors.Is(err, want.is) || !errors.Is(err, client.ErrCode(code)) || refused.Reply.Message != "no, for a reason" || refused.Subject != "pos.T1.payment.start" {
				t.Errorf("got %v, want %v", err, want.is)
			}
			if got := tries.Load(); got != want.tries && limit == bridgetest.Limit {
				t.Errorf("got %d requests, want %d", got, want.tries)
			}
		})
	}
}

// What another try helps is tried again, within the deadline.
func TestStartAgain(t *testing.T) {
	t.Parallel()
	for code, want := range map[schema.Code]int64{schema.ProviderUnavailable: 2, schema.ShuttingDown: 3} {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			var tries atomic.Int64
			s := setup(t, bridgetest.Handlers{Start: func(r schema.StartRequest) (any, error) {
				if tries.Add(1) < want {
					return nil, schema.NewError(code, "not now")
				}
				return created(r)
			}}, bridgetest.Options{})
			if p := start(t, s.client); p.Doubt() != nil || tries.Load() != want {
				t.Errorf("got doubt %v after %d requests, want none after %d", p.Doubt(), tries.Load(), want)
			}
		})
	}
}

func TestStartRefusesHostileIDs(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{Start: created}, bridgetest.Options{})
	for _, r := range []schema.StartRequest{{TerminalID: ">", OrderID: "a"}, {TerminalID: "T1", OrderID: "*"}, {TerminalID: "T1"}} {
		if _, err := s.client.Start(limited(t), r); !errors.Is(err, client.ErrInvalidRequest) {
			t.Errorf("%+v: got %v", r, err)
		}
		if _, err := s.client.Resume(limited(t), r.TerminalID, r.OrderID); !errors.Is(err, client.ErrInvalidRequest) {
			t.Errorf("%+v: got %v", r, err)
		}
	}
}

// The answer is lost, and the payment began: get finds it.
func TestStartWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	var starts atomic.Int64
	s := setup(t, bridgetest.Handlers{
		Start: func(schema.StartRequest) (any, error) {
			starts.Add(1)
			return nil, bridgetest.ErrNoReply
		},
		Get: func(schema.OrderRequest) (any, error) {
			return bridgetest.Session(event("a", 1, "initialized")), nil
		},
	}, bridgetest.Options{})
	s.client.AnswerWithin(time.Second)
	p := start(t, s.client)
	if p.Doubt() != nil || starts.Load() != 1 {
		t.Errorf("got doubt %v after %d requests, want none after 1", p.Doubt(), starts.Load())
	}
	s.bridge.Store(event("a", 1, "initialized"), event("a", 2, "completed"))
	ends(t, p, schema.Paid)
}

// The bridge has the request and does not know yet whether the order exists: its answer
// is waited for, and no other request is sent.
func TestStartThatTakesLong(t *testing.T) {
	t.Parallel()
	var starts, gets atomic.Int64
	late := make(chan struct{})
	var told retries
	s := setup(t, bridgetest.Handlers{
		Start: func(schema.StartRequest) (any, error) {
			starts.Add(1)
			<-late
			return nil, schema.NewError(schema.ProviderRejected, "no")
		},
		Get: func(schema.OrderRequest) (any, error) {
			if gets.Add(1) == 2 {
				close(late)
			}
			making := bridgetest.Session(event("a", 0, schema.StatusCreated))
			making.SessionID = ""
			return making, nil
		},
	}, bridgetest.Options{}, told.take)
	s.client.AnswerWithin(time.Second)
	if _, err := within(t, s.client, bridgetest.Limit); !errors.Is(err, client.ErrProviderRejected) || starts.Load() != 1 {
		t.Errorf("got %v after %d requests, want provider_rejected after 1", err, starts.Load())
	}
	told.check(t, true)
}

// A second answer to one request is not taken for the answer to the next.
func TestStartAnsweredTwice(t *testing.T) {
	t.Parallel()
	var starts atomic.Int64
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{})
	nc := natstest.Connect(t, s.wire.URL())
	stop, err := nc.Subscribe("shop.T1.payment.start", func(m *nats.Msg) {
		refused := nats.NewMsg(m.Reply)
		refused.Header.Set(schema.HeaderErrorCode, "503")
		refused.Data = []byte(`{"error":{"code":"provider_unavailable","message":"nothing was created","retryable":true}}`)
		if starts.Add(1) == 1 {
			_, _ = nc.PublishMsg(refused), nc.PublishMsg(refused)
			return
		}
		_ = m.Respond([]byte(`{"order_id":"a","terminal_id":"T1","status":"created","created":true}`))
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stop.Unsubscribe() }()
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	p := start(t, newClient(t, s.nc, func(o *client.Options) { o.Prefix = "shop" }))
	if reply, _ := p.Reply(); !reply.Created || starts.Load() != 2 {
		t.Errorf("got %v after %d requests, want the answer to the second", reply, starts.Load())
	}
}

// retries collects the notices about a start that has no result yet.
type retries struct {
	mu  sync.Mutex
	all []client.Retry
}

func (r *retries) take(o *client.Options) {
	o.Notice = func(u client.Update) {
		if retry, ok := u.(client.Retry); ok && retry.Command == subjects.Start {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.all = append(r.all, retry)
		}
	}
}

// check compares the notices: each has another attempt and a later time, and says whether
// the request is sent again.
func (r *retries) check(t *testing.T, listening bool) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.all) == 0 {
		t.Error("nothing was told")
	}
	var before time.Duration
	for i, retry := range r.all {
		next := "sending the request again"
		if listening {
			next = "the bridge has the request, waiting on for its answer"
		}
		text := fmt.Sprintf("(attempt %d, after %s); %s", i+1, retry.Elapsed.Round(100*time.Millisecond), next)
		if retry.Elapsed <= before || !strings.HasSuffix(retry.String(), text) {
			t.Errorf("got %q after %s, want %q at its end", retry, before, text)
		}
		before = retry.Elapsed
	}
}

// The request is lost: get does not find the order, and the same request is sent again.
func TestStartThatIsLost(t *testing.T) {
	t.Parallel()
	var starts atomic.Int64
	var told retries
	s := setup(t, bridgetest.Handlers{Start: func(r schema.StartRequest) (any, error) {
		if r != request {
			t.Errorf("got %v, want the same request", r)
		}
		if starts.Add(1) < 3 {
			return nil, bridgetest.ErrNoReply
		}
		return created(r)
	}}, bridgetest.Options{}, told.take)
	s.client.AnswerWithin(50 * time.Millisecond)
	p := start(t, s.client)
	if reply, body := p.Reply(); !reply.Created || len(body) == 0 || p.Doubt() != nil {
		t.Errorf("got %v, %q, doubt %v", reply, body, p.Doubt())
	}
	told.check(t, false)
}

// The reply is lost with the connection: the same request is sent again.
func TestStartAfterALostConnection(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 10)
	s := setup(t, bridgetest.Handlers{Start: func(schema.StartRequest) (any, error) {
		asked <- struct{}{}
		return nil, bridgetest.ErrNoReply
	}}, bridgetest.Options{})
	go func() {
		<-asked
		s.bridge.Handle(func(h *bridgetest.Handlers) { h.Start = created })
		s.wire.Cut()
		s.wire.Mend()
	}()
	p := start(t, s.client)
	s.bridge.Store(event("a", 1, "completed"))
	ends(t, p, schema.Paid)
}

// "No responders" means that nothing was started, unless an earlier request got lost.
func TestStartWithoutABridge(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	nobody := newClient(t, natstest.Connect(t, server.URL()))
	if _, err := nobody.Start(limited(t), request); !errors.Is(err, client.ErrNoBridge) {
		t.Errorf("got %v, want ErrNoBridge", err)
	}
	var bridge *bridgetest.Bridge
	bridge = bridgetest.Run(t, server.URL(), bridgetest.Handlers{Start: func(schema.StartRequest) (any, error) {
		bridge.Stop()
		return nil, bridgetest.ErrNoReply
	}}, bridgetest.Options{})
	left := newClient(t, natstest.Connect(t, server.URL()))
	left.AnswerWithin(50 * time.Millisecond)
	p, err := within(t, left, 5*time.Second)
	if err != nil {
		t.Fatalf("got %v, want a payment in doubt", err)
	}
	if !errors.Is(p.Doubt(), client.ErrNoReply) {
		t.Errorf("got doubt %v, want ErrNoReply", p.Doubt())
	}
}

// A refusal after a lost answer is believed once the bridge has said that it does not know
// the order. That answer may be lost as well.
func TestStartRefusedAfterALostAnswer(t *testing.T) {
	t.Parallel()
	making := bridgetest.Session(event("a", 0, schema.StatusCreated))
	making.SessionID = ""
	other := bridgetest.Session(event("a", 1, "initialized"))
	other.Amount++
	for name, c := range map[string]struct {
		found    any
		code     schema.Code // of the second answer; empty: terminal_busy
		refusal  error       // what Start returns
		doubtful bool
	}{
		"the order is known":         {found: bridgetest.Session(event("a", 1, "initialized"))},
		"the order is not known":     {refusal: client.ErrTerminalBusy},
		"another order has its name": {found: other, refusal: client.ErrTerminalBusy},
		"the order is being made":    {found: making, doubtful: true},
		"another replica differs":    {found: making, code: schema.UnknownTerminal, doubtful: true},
		"the order was rejected":     {found: making, code: schema.ProviderRejected, refusal: client.ErrProviderRejected},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var starts, gets atomic.Int64
			s := setup(t, bridgetest.Handlers{
				Start: func(schema.StartRequest) (any, error) {
					if starts.Add(1) == 1 {
						return nil, bridgetest.ErrNoReply
					}
					return nil, schema.NewError(cmp.Or(c.code, schema.TerminalBusy), "no")
				},
				Get: func(schema.OrderRequest) (any, error) {
					switch {
					case starts.Load() > 1 && gets.Add(1) == 1:
						return nil, bridgetest.ErrNoReply
					case starts.Load() > 1 && c.found != nil:
						return c.found, nil
					}
					return nil, schema.NewError(schema.NotFound, "the order is not known")
				},
			}, bridgetest.Options{})
			s.client.AnswerWithin(200 * time.Millisecond)
			p, err := within(t, s.client, bridgetest.Limit)
			if !errors.Is(err, c.refusal) {
				t.Fatalf("got %v, want %v", err, c.refusal)
			}
			if err == nil && (p.Doubt() != nil) != c.doubtful {
				t.Errorf("got doubt %v, want one: %v", p.Doubt(), c.doubtful)
			}
		})
	}
}

// The bridge does not know yet whether the order exists: its statuses will tell.
func TestStartWithAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{Start: func(schema.StartRequest) (any, error) {
		return nil, schema.NewError(schema.OutcomeUnknown, "the provider did not answer")
	}}, bridgetest.Options{})
	p := start(t, s.client)
	if !errors.Is(p.Doubt(), client.ErrOutcomeUnknown) {
		t.Errorf("got doubt %v", p.Doubt())
	}
	s.bridge.Store(event("a", 1, "completed"))
	ends(t, p, schema.Paid)
	if p.Doubt() != nil {
		t.Errorf("got doubt %v after a status", p.Doubt())
	}
}

func TestStartThatTurnsOutNotToExist(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{Start: func(schema.StartRequest) (any, error) {
		return []byte("accepted"), nil
	}}, bridgetest.Options{}, often)
	p := start(t, s.client)
	if !errors.Is(p.Doubt(), client.ErrBadReply) {
		t.Errorf("got doubt %v", p.Doubt())
	}
	result, err := p.Wait(limited(t))
	if !errors.Is(err, client.ErrNotFound) || result.Outcome != schema.Open {
		t.Errorf("got %v, %v, want not_found", result, err)
	}
}

// A status shows that the payment exists: the answer is not waited for much longer.
func TestStartWithoutAnAnswerButAStatus(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{})
	s.bridge.Handle(func(h *bridgetest.Handlers) {
		h.Start = func(schema.StartRequest) (any, error) {
			s.bridge.Store(event("a", 1, "initialized"))
			return nil, bridgetest.ErrNoReply
		}
	})
	s.client.AnswerWithin(bridgetest.Limit)
	began := time.Now()
	p := start(t, s.client)
	if took := time.Since(began); p.Doubt() != nil || took > bridgetest.Limit/2 {
		t.Errorf("got doubt %v after %s", p.Doubt(), took)
	}
	s.bridge.Store(event("a", 2, "completed"))
	ends(t, p, schema.Paid)
}

// The statuses of another payment under the same id are no evidence.
func TestStartOfAnOrderThatIsTaken(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{}, bridgetest.Options{})
	s.bridge.Handle(func(h *bridgetest.Handlers) {
		h.Start = func(schema.StartRequest) (any, error) {
			other := event("a", 1, "completed")
			other.Amount = 99
			s.bridge.Store(other)
			return nil, schema.NewError(schema.OrderConflict, "the order exists with other content")
		}
		h.Get = func(schema.OrderRequest) (any, error) {
			other := event("a", 1, "completed")
			other.Amount = 99
			return bridgetest.Session(other), nil
		}
	})
	if _, err := within(t, s.client, bridgetest.Limit); !errors.Is(err, client.ErrOrderConflict) {
		t.Errorf("got %v, want order_conflict", err)
	}
}

// Nothing was sent when the context ends before the connection stands.
func TestStartWithoutAConnection(t *testing.T) {
	t.Parallel()
	s := setup(t, bridgetest.Handlers{Start: created}, bridgetest.Options{})
	lost := s.nc.StatusChanged(nats.RECONNECTING)
	s.wire.Cut()
	<-lost
	if _, err := within(t, s.client, 50*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
	s.wire.Mend()
	start(t, s.client)
	s.nc.Close()
	if _, err := within(t, s.client, bridgetest.Limit); !errors.Is(err, client.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

func TestStartWithoutTheRightToHear(t *testing.T) {
	t.Parallel()
	bus, bridge := rights(t, []string{">"}, []string{"_INBOX.>"})
	bridge.Handle(func(h *bridgetest.Handlers) {
		h.Start = func(r schema.StartRequest) (any, error) {
			t.Error("a payment was started that nobody could have followed")
			return created(r)
		}
	})
	_, err := bus.Start(limited(t), request)
	if denied, ok := errors.AsType[*client.DeniedError](err); !ok || *denied != (client.DeniedError{Subject: "pos.T1.a.status", Subscribe: true}) {
		t.Errorf("got %v, want a DeniedError", err)
	}
}
