package follower

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/schema"
)

// What replicas ask each other.
const (
	opPing    = "ping"    // is the process there?
	opFollows = "follows" // does it follow the session?
	opCancel  = "cancel"  // cancel the order
	opLook    = "look"    // ask the provider for the order
	opNews    = "news"    // what is the newest known of the order?
)

// replicaQuestion is a question to another replica.
type replicaQuestion struct {
	Op   string `json:"op"`
	From string `json:"from"`
	Ref
	Epoch    uint64 `json:"epoch,omitempty"`
	Handle   string `json:"handle,omitempty"`
	QueueSeq uint64 `json:"queue_seq,omitempty"`
}

// replicaAnswer is the answer of another replica.
type replicaAnswer struct {
	// Elsewhere is set when the replica does not follow the payment.
	Elsewhere bool `json:"elsewhere,omitempty"`
	// Storing is set when the replica stops, and has something to store first.
	Storing bool `json:"storing,omitempty"`
	// Stopping is set in the answer to a ping when the replica stops.
	Stopping    bool          `json:"stopping,omitempty"`
	Status      string        `json:"status,omitempty"`
	Failure     *schema.Error `json:"failure,omitempty"`
	Transaction string        `json:"transaction_id,omitempty"`
	Financial   string        `json:"financial_status,omitempty"`
}

// askLimit bounds a question that is answered from memory.
const askLimit = time.Second

// asker asks other replicas.
type asker struct {
	bus  Replicas
	self string
}

// ask asks another replica.
func (k *asker) ask(ctx context.Context, id string, q replicaQuestion) (replicaAnswer, error) {
	q.From = k.self
	body, err := json.Marshal(q)
	if err != nil {
		return replicaAnswer{}, fmt.Errorf("write question: %w", err)
	}
	data, err := k.bus.AskReplica(ctx, id, body)
	if err != nil {
		return replicaAnswer{}, err
	}
	var answer replicaAnswer
	if err := json.Unmarshal(data, &answer); err != nil {
		return replicaAnswer{}, fmt.Errorf("read answer of replica: %w", err)
	}
	return answer, nil
}

// waiters are those who asked a payment something, by number.
type waiters struct {
	last uint64
	all  map[uint64]waiter
}

type waiter struct {
	of     *actor
	answer func(payment.Respond)
}

// add gives a waiter its number.
func (w *waiters) add(of *actor, answer func(payment.Respond)) uint64 {
	if w.all == nil {
		w.all = map[uint64]waiter{}
	}
	w.last++
	w.all[w.last] = waiter{of, answer}
	return w.last
}

// respond answers a waiter.
func (w *waiters) respond(r payment.Respond) {
	if waiter, ok := w.all[r.Waiter]; ok {
		delete(w.all, r.Waiter)
		waiter.answer(r)
	}
}

// turnAway sends the waiters of a payment that has failed to another replica.
func (w *waiters) turnAway(of *actor) {
	for number, waiter := range w.all {
		if waiter.of == of {
			w.respond(payment.Respond{Waiter: number, Elsewhere: true})
		}
	}
}
