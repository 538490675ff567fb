// Package bustest is a NATS server with JetStream in memory, as far as the
// bridge uses it: a fenced journal with its message ids, a work queue with
// redelivery, a bucket with revisions and a watch. It runs in virtual time
// (testing/synctest) and can lose, delay and cut off what its clients send.
//
// Suite holds it to the real server: the same tests run against both.
package bustest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/schema"
)

// dedupeWindow is how long a message id is known, as the real streams have it.
const dedupeWindow = 2 * time.Minute

// Memory is the server. Its clients are made with Client.
type Memory struct {
	// AckWait of the session queue.
	AckWait time.Duration

	mu       sync.Mutex
	random   *rand.Rand
	statuses map[string][]bus.Status // by terminal and order
	ids      map[string]idSeen
	lastSeq  uint64

	sessions map[string]*queued // by terminal
	nonces   map[string]idSeen
	queueSeq uint64
	waiting  []*Client // clients that ask for a session

	records  map[string]recordEntry
	revision uint64
	watchers []*watcher

	replies  []Reply
	invalid  []schema.InvalidEvent
	onStored func(bus.Status)
}

type idSeen struct {
	seq uint64
	at  time.Time
}

type queued struct {
	seq       uint64
	body      []byte
	delivered int
	timer     *time.Timer
	// inFlight is true between a delivery and its end.
	inFlight bool
}

type recordEntry struct {
	revision uint64
	body     []byte // nil when deleted
}

// Reply is an answer that a requester got.
type Reply struct {
	Inbox  string
	Header map[string]string
	Body   []byte
	At     time.Time
}

// NewMemory returns an empty server. random may be nil: then nothing is chosen
// by chance.
func NewMemory(ackWait time.Duration, random *rand.Rand) *Memory {
	if random == nil {
		random = rand.New(rand.NewPCG(1, 1))
	}
	return &Memory{
		AckWait: ackWait, random: random,
		statuses: map[string][]bus.Status{}, ids: map[string]idSeen{},
		sessions: map[string]*queued{}, nonces: map[string]idSeen{},
		records: map[string]recordEntry{},
	}
}

// OnStored is called with every status as it is stored, in order.
func (m *Memory) OnStored(f func(bus.Status)) { m.onStored = f }

// Statuses returns an order's stored statuses.
func (m *Memory) Statuses(terminal, order string) []bus.Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.statuses[terminal+" "+order])
}

// Locked returns the terminals that have a session in the queue.
func (m *Memory) Locked() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.sessions))
}

// LiveRecords returns the terminals that have a record.
func (m *Memory) LiveRecords() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var terminals []string
	for t, e := range m.records {
		if e.body != nil {
			terminals = append(terminals, t)
		}
	}
	slices.Sort(terminals)
	return terminals
}

// Replies returns the answers to an inbox.
func (m *Memory) Replies(inbox string) []Reply {
	m.mu.Lock()
	defer m.mu.Unlock()
	var replies []Reply
	for _, r := range m.replies {
		if r.Inbox == inbox {
			replies = append(replies, r)
		}
	}
	return replies
}

// append stores a status. The order of its checks is the server's: a known id
// is a duplicate before the fence is looked at.
func (m *Memory) append(s bus.Status, after uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if seen, ok := m.ids[s.ID()]; ok && time.Since(seen.at) < dedupeWindow {
		return 0, bus.ErrConflict
	}
	key := s.Event.TerminalID + " " + s.Event.OrderID
	there := m.statuses[key]
	var last uint64
	if len(there) > 0 {
		last = there[len(there)-1].Seq
	}
	if last != after {
		return 0, bus.ErrConflict
	}
	m.lastSeq++
	s.Seq = m.lastSeq
	m.ids[s.ID()] = idSeen{s.Seq, time.Now()}
	m.statuses[key] = append(there, s)
	if m.onStored != nil {
		m.onStored(s)
	}
	return s.Seq, nil
}

func (m *Memory) last(terminal, order string) (bus.Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	there := m.statuses[terminal+" "+order]
	if len(there) == 0 {
		return bus.Status{}, bus.ErrNotFound
	}
	return there[len(there)-1], nil
}

func (m *Memory) enqueue(s bus.Session) (uint64, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return 0, fmt.Errorf("write session: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if seen, ok := m.nonces[s.Nonce]; ok && time.Since(seen.at) < dedupeWindow {
		if there := m.sessions[s.Terminal()]; there != nil {
			return 0, bus.ErrConflict // the fence is looked at first on one server
		}
		return seen.seq, nil
	}
	if m.sessions[s.Terminal()] != nil {
		return 0, bus.ErrConflict
	}
	m.queueSeq++
	m.nonces[s.Nonce] = idSeen{m.queueSeq, time.Now()}
	m.sessions[s.Terminal()] = &queued{seq: m.queueSeq, body: body}
	m.deliver()
	return m.queueSeq, nil
}

func (m *Memory) queuedOn(terminal string) (s bus.Session, seq uint64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.sessions[terminal]
	if q == nil {
		return bus.Session{}, 0, bus.ErrNotFound
	}
	err = json.Unmarshal(q.body, &s)
	return s, q.seq, err
}

// deliver hands waiting sessions to clients that ask for one. m.mu is held.
func (m *Memory) deliver() {
	for _, terminal := range slices.Sorted(maps.Keys(m.sessions)) {
		q := m.sessions[terminal]
		if q.inFlight {
			continue
		}
		able := slices.DeleteFunc(slices.Clone(m.waiting), func(c *Client) bool { return c.cut.Load() })
		if len(able) == 0 {
			return
		}
		to := able[m.random.IntN(len(able))]
		q.inFlight = true
		q.delivered++
		m.arm(terminal, q)
		var s bus.Session
		if err := json.Unmarshal(q.body, &s); err != nil {
			panic(err) // written by enqueue
		}
		to.inbox <- bus.Delivery{Session: s, Seq: q.seq, Redelivered: q.delivered > 1, Handle: &memoryHandle{to, terminal, q.seq}}
	}
}

// arm starts the time after which the session is handed out again. m.mu is held.
func (m *Memory) arm(terminal string, q *queued) {
	if q.timer != nil {
		q.timer.Stop()
	}
	q.timer = time.AfterFunc(m.AckWait, func() { m.expire(terminal, q) })
}

func (m *Memory) expire(terminal string, q *queued) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sessions[terminal] == q {
		q.inFlight = false
		m.deliver()
	}
}

// Redeliver hands out again what is in flight, as a new consumer leader does.
func (m *Memory) Redeliver() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, q := range m.sessions {
		q.inFlight = false
	}
	m.deliver()
}

// onSession changes a session in flight if it is still there.
func (m *Memory) onSession(terminal string, seq uint64, f func(*queued)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if q := m.sessions[terminal]; q != nil && q.seq == seq {
		f(q)
	}
}

func (m *Memory) record(terminal string) (r bus.Record, revision uint64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.records[terminal]
	if !ok || e.body == nil {
		return bus.Record{}, e.revision, bus.ErrNotFound
	}
	err = json.Unmarshal(e.body, &r)
	return r, e.revision, err
}

func (m *Memory) write(terminal string, r *bus.Record, revision uint64) (uint64, error) {
	var body []byte
	if r != nil {
		var err error
		if body, err = json.Marshal(r); err != nil {
			return 0, fmt.Errorf("write record: %w", err)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.records[terminal].revision != revision {
		return 0, bus.ErrConflict
	}
	m.revision++
	m.records[terminal] = recordEntry{m.revision, body}
	for _, w := range m.watchers {
		w.add(changeOf(terminal, m.records[terminal]))
	}
	return m.revision, nil
}

func changeOf(terminal string, e recordEntry) bus.RecordChange {
	c := bus.RecordChange{Terminal: terminal, Revision: e.revision}
	if e.body != nil {
		c.Record = &bus.Record{}
		if err := json.Unmarshal(e.body, c.Record); err != nil {
			panic(err) // written by write
		}
	}
	return c
}

// watcher gathers changes until they are taken.
type watcher struct {
	mu      sync.Mutex
	changes []bus.RecordChange
	note    chan struct{}
}

func (w *watcher) add(c bus.RecordChange) {
	w.mu.Lock()
	w.changes = append(w.changes, c)
	w.mu.Unlock()
	select {
	case w.note <- struct{}{}:
	default:
	}
}

func (w *watcher) take() []bus.RecordChange {
	w.mu.Lock()
	defer w.mu.Unlock()
	changes := w.changes
	w.changes = nil
	return changes
}

// errUnanswered is a call that was sent, or not, and never answered.
var errUnanswered = errors.New("no answer in time")
