package console

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/posbridge/bridge/schema"
)

const (
	// batchPause is the shortest time between two messages of changes: at most
	// ten a second, however much changes.
	batchPause = 100 * time.Millisecond
	// overviewPause is how often the overview is looked at, and heartbeat how
	// often it is sent when it has not changed.
	overviewPause = time.Second
	heartbeat     = 4 * time.Second
	// chunk is how many terminals go into one message.
	chunk = 500
	// writeLimit is how long one message may take to be sent.
	writeLimit = 10 * time.Second
)

// Names of the stream's events.
const (
	eventHello     = "hello"     // the beginning: everything follows anew
	eventTerminals = "terminals" // terminals as they are now
	eventPayments  = "payments"  // payments that are over
	eventOverview  = "overview"  // how things are
	eventLive      = "live"      // everything was told; from here on, changes
)

// hello begins a stream.
type hello struct {
	Now time.Time `json:"now"`
	// Digits of each currency behind the decimal point.
	Digits   map[string]int `json:"digits"`
	Overview Overview       `json:"overview"`
	// Token says that the page is protected, so that one can leave it.
	Token bool `json:"token"`
	// Terminals is the address of a page of simulated terminals.
	Terminals string `json:"terminals,omitempty"`
}

// beat is the overview at a time.
type beat struct {
	Now      time.Time `json:"now"`
	Overview Overview  `json:"overview"`
}

// events tells everything that is shown in lists, and then what changes, in
// batches, for as long as somebody looks.
func (c *Console) events(w http.ResponseWriter, r *http.Request) {
	select {
	case c.viewers <- struct{}{}:
		defer func() { <-c.viewers }()
	default:
		w.Header().Set("Retry-After", "10")
		answer(w, http.StatusServiceUnavailable, problem{"Too many people look at this replica just now."})
		return
	}
	until, _ := c.guard.admitted(r)
	end := time.NewTimer(time.Until(until))
	defer end.Stop()

	changes := newChanges()
	defer c.source.Watch(changes.note)()
	f := &feed{w: w, control: http.NewResponseController(w), source: c.source}
	if f.control.SetReadDeadline(time.Time{}) != nil { // the server's own would end the stream
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	if f.begin(hello{Token: c.guard.token != nil, Terminals: c.terminals}) != nil {
		return
	}
	look := time.NewTicker(overviewPause)
	defer look.Stop()
	pause := time.NewTimer(batchPause)
	defer pause.Stop()
	for {
		var err error
		var noted chan struct{}
		if f.rested {
			noted = changes.noted
		}
		select {
		case <-noted:
			ids, all := changes.take()
			err = f.changed(ids, all)
			f.rested = false
			pause.Reset(batchPause)
		case <-pause.C:
			f.rested = true
		case <-look.C:
			err = f.beat()
		case <-end.C:
			return
		case <-c.closed:
			return
		case <-r.Context().Done():
			return
		}
		if err != nil {
			return // nobody looks any more
		}
	}
}

// feed is one stream.
type feed struct {
	w       http.ResponseWriter
	control *http.ResponseController
	source  Source
	// rested is true once batchPause has passed since the last changes.
	rested bool
	// revision of the last payment that was told.
	revision uint64
	// told is the overview that was told last, at toldAt.
	told   Overview
	toldAt time.Time
	buffer bytes.Buffer
}

// begin tells everything, with first as the first event.
func (f *feed) begin(first hello) error {
	first.Digits = map[string]int{}
	for _, code := range schema.Currencies() {
		first.Digits[code], _ = schema.CurrencyDigits(code)
	}
	f.told, f.toldAt = f.source.Overview(), time.Now()
	first.Now, first.Overview = clock(), f.told
	if err := f.send(eventHello, first); err != nil {
		return err
	}
	if err := f.changed(nil, true); err != nil {
		return err
	}
	return f.send(eventLive, struct{}{})
}

// changed tells how the named terminals are now, and what was paid meanwhile.
func (f *feed) changed(ids []string, all bool) error {
	if all {
		ids = nil
	}
	for part := range slices.Chunk(f.source.Terminals(ids), chunk) {
		if err := f.send(eventTerminals, part); err != nil {
			return err
		}
	}
	return f.payments()
}

func (f *feed) payments() error {
	payments := f.source.Payments(f.revision)
	if len(payments) == 0 {
		return nil
	}
	f.revision = payments[len(payments)-1].Revision
	return f.send(eventPayments, payments)
}

// beat tells the overview if it has changed, and now and then that all is alive.
func (f *feed) beat() error {
	if err := f.payments(); err != nil {
		return err
	}
	overview := f.source.Overview()
	if reflect.DeepEqual(overview, f.told) && time.Since(f.toldAt) < heartbeat {
		return nil
	}
	f.told, f.toldAt = overview, time.Now()
	return f.send(eventOverview, beat{Now: clock(), Overview: overview})
}

// send writes one event. It may take writeLimit, whatever the server's own limit
// for a whole answer is.
func (f *feed) send(event string, body any) error {
	f.buffer.Reset()
	f.buffer.WriteString("event: " + event + "\ndata: ")
	if err := json.NewEncoder(&f.buffer).Encode(body); err != nil { // ends the line
		return err
	}
	f.buffer.WriteByte('\n')
	if err := f.control.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return err
	}
	if _, err := f.w.Write(f.buffer.Bytes()); err != nil {
		return err
	}
	return f.control.Flush()
}

// changes gathers which terminals have changed. It is bounded by how many
// terminals there are: a slow reader gets how they are now, not how they were.
type changes struct {
	// noted holds a note while there is something to take.
	noted chan struct{}

	mu  sync.Mutex
	ids map[string]struct{}
	all bool
}

func newChanges() *changes {
	return &changes{noted: make(chan struct{}, 1), ids: map[string]struct{}{}}
}

// note notes a terminal, or all of them with "".
func (c *changes) note(terminal string) {
	c.mu.Lock()
	if terminal == "" {
		c.all = true
	} else {
		c.ids[terminal] = struct{}{}
	}
	c.mu.Unlock()
	select {
	case c.noted <- struct{}{}:
	default:
	}
}

// take returns what has changed since the last take, and forgets it.
func (c *changes) take() (ids []string, all bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids = make([]string, 0, len(c.ids))
	for id := range c.ids {
		ids = append(ids, id)
	}
	all = c.all
	clear(c.ids)
	c.all = false
	return ids, all
}
