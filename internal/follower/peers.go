package follower

import (
	"context"
	"errors"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/telemetry"
)

// Numbers of the peers.
const (
	// pingEvery is how often the other replicas are pinged.
	pingEvery = 500 * time.Millisecond
	// pingLimit bounds one ping.
	pingLimit = 900 * time.Millisecond
	// goneAfter is for how long nobody must listen under a replica's name before
	// its process counts as gone. A reconnect takes less.
	goneAfter = time.Second
	// goneAgain is how often a replica that does not listen is pinged.
	goneAgain = 250 * time.Millisecond
	// rankStep is how long each candidate waits for the ones before it.
	rankStep = 250 * time.Millisecond
	// forgetAfter is when a process that has gone is forgotten.
	forgetAfter = 10 * time.Minute
	// thereFor is for how long a replica that answered a ping counts as one that can
	// go on with what another one leaves.
	thereFor = 2 * time.Second
)

// peers are the other replicas that this one knows of: from their claims, which the
// board and the sweep show, and from their questions.
type peers struct {
	asker  *asker
	orders Orders
	report *reporter
	// calm is how long NATS has had no trouble; find takes an order up.
	calm func() time.Duration
	find func(Ref)
	// wg has what goes on beside run.
	wg *sync.WaitGroup
	mu sync.Mutex
	// known are the processes, by id.
	known map[string]*peer
}

// peer is the process of another replica.
type peer struct {
	// answered is when it last answered a ping, or became known.
	answered time.Time
	// missing is since when nobody has listened under its name, zero while
	// somebody does.
	missing time.Time
	// gone is when it was found gone, zero while it is there.
	gone time.Time
	// stopping is set while it stops: it takes nothing over.
	stopping bool
	// next is when it is pinged again.
	next time.Time
}

// heard notes that a replica exists. One that was gone never comes back: a
// process that starts again has another id.
func (p *peers) heard(id string) {
	if id == "" || id == p.asker.self {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known[id] == nil {
		p.known[id] = &peer{answered: time.Now()}
	}
}

// isGone reports whether the process of a replica has gone.
func (p *peers) isGone(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.known[id]
	return known != nil && !known.gone.IsZero()
}

// silence is for how long a replica that is known has answered no ping.
func (p *peers) silence(id string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.known[id]; known != nil {
		return time.Since(known.answered)
	}
	return 0
}

// run pings the others until ctx is over, and takes over what a process that
// has gone leaves.
func (p *peers) run(ctx context.Context) {
	ticker := time.NewTicker(goneAgain)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		var pings sync.WaitGroup
		for _, id := range p.toPing(time.Now()) {
			pings.Go(func() { p.ping(ctx, id) })
		}
		pings.Wait()
	}
}

// toPing lists the replicas whose ping is due.
func (p *peers) toPing(now time.Time) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ids []string
	for id, known := range p.known {
		switch {
		case !known.gone.IsZero() && now.Sub(known.gone) > forgetAfter:
			delete(p.known, id)
		case known.gone.IsZero() && !now.Before(known.next):
			ids = append(ids, id)
		}
	}
	return ids
}

// ping pings one replica. Silence proves nothing soon, see silence; that nobody
// listens does, while NATS works.
func (p *peers) ping(ctx context.Context, id string) {
	limited, cancel := context.WithTimeout(ctx, pingLimit)
	defer cancel()
	answer, err := p.asker.ask(limited, id, replicaQuestion{Op: opPing})
	now := time.Now()
	p.mu.Lock()
	known := p.known[id]
	if known == nil || ctx.Err() != nil {
		p.mu.Unlock()
		return
	}
	known.next = now.Add(pingEvery)
	if err == nil {
		known.answered, known.stopping = now, answer.Stopping
	}
	if !errors.Is(err, bus.ErrNoResponders) || p.calm() < goneAfter {
		known.missing = time.Time{}
		p.mu.Unlock()
		return
	}
	known.next = now
	if known.missing.IsZero() {
		known.missing = now
	}
	gone := now.Sub(known.missing) >= goneAfter
	if gone {
		known.gone = now
	}
	p.mu.Unlock()
	if gone {
		p.takeOver(ctx, id)
	}
}

// takeOver goes on with the payments of a replica that has gone. The candidates
// for each of them wait for each other.
func (p *peers) takeOver(ctx context.Context, id string) {
	orders := p.ownedBy(id)
	p.report.Log.Warn("The process of another replica is gone; taking over its sessions",
		zap.String(telemetry.KeyOwner, id), zap.Int(telemetry.KeyCount, len(orders)))
	waves := map[int][]Ref{}
	for _, ref := range orders {
		rank := p.rank(ref)
		waves[rank] = append(waves[rank], ref)
	}
	for rank, refs := range waves {
		p.wg.Go(func() {
			if !sleep(ctx, time.Duration(rank)*rankStep) {
				return
			}
			left := p.ownedBy(id)
			for _, ref := range refs {
				if rank == 0 || slices.Contains(left, ref) {
					p.find(ref)
				}
			}
		})
	}
}

// ownedBy lists the open orders of a replica.
func (p *peers) ownedBy(id string) (refs []Ref) {
	for ref, owner := range p.orders.Open() {
		if owner == id {
			refs = append(refs, ref)
		}
	}
	return refs
}

// rank is how many replicas come before this one for an order.
func (p *peers) rank(ref Ref) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	own, before := weight(ref, p.asker.self), 0
	for id, known := range p.known {
		if known.isThere() && !known.stopping && weight(ref, id) < own {
			before++
		}
	}
	return before
}

// weight orders the replicas for an order, every order in another way.
func weight(ref Ref, id string) uint64 {
	h := fnv.New64a()
	for _, part := range []string{ref.Terminal, "/", ref.Order, "/", id} {
		_, _ = h.Write([]byte(part)) // never fails
	}
	return h.Sum64()
}

// isThere reports whether somebody listens under a replica's name, as far as is
// known.
func (p *peers) isThere(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.known[id]
	return known != nil && known.isThere()
}

func (p *peer) isThere() bool { return p.gone.IsZero() && p.missing.IsZero() }

// alone reports whether no other replica is known that can go on with what this one
// leaves.
func (p *peers) alone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, known := range p.known {
		if known.isThere() && !known.stopping && time.Since(known.answered) < thereFor {
			return false
		}
	}
	return true
}
