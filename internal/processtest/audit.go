package processtest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/internal/simulator"
)

// The bus as the contract describes it. Nothing here is taken from the bridge's
// own packages: whoever checks must be able to disagree.
const (
	statusSubjects = "pos.*.*.status"
	statusStream   = "POS_STATUS"
	sessionStream  = "POS_SESSIONS"
	sessionBucket  = "pos_sessions"
)

// event is the body of a status event as the contract lists it.
type event struct {
	OrderID         string     `json:"order_id"`
	TerminalID      string     `json:"terminal_id"`
	SessionID       string     `json:"session_id"`
	TransactionID   *string    `json:"transaction_id"`
	Status          string     `json:"status"`
	FinancialStatus *string    `json:"financial_status"`
	PreviousStatus  *string    `json:"previous_status"`
	Final           *bool      `json:"final"`
	Sequence        int        `json:"sequence"`
	Source          string     `json:"source"`
	Amount          int64      `json:"amount"`
	Currency        string     `json:"currency"`
	ObservedAt      *time.Time `json:"observed_at"`
}

// message is a status event as it came over the bus.
type message struct {
	subject string
	id      string // Nats-Msg-Id
	body    string
	event   event
	at      time.Time
}

func messageOf(subject string, header nats.Header, body []byte) (message, error) {
	m := message{subject: subject, id: header.Get("Nats-Msg-Id"), body: string(body), at: time.Now()}
	if err := json.Unmarshal(body, &m.event); err != nil {
		return m, fmt.Errorf("read event on %s: %w", subject, err)
	}
	return m, nil
}

// Auditor listens to the bus from before the first payment on, and in the end
// holds it, and what the stream has stored, against the provider.
type Auditor struct {
	conn     *nats.Conn
	provider *Provider

	mu      sync.Mutex
	heard   []message
	faults  []string // messages that could not even be read
	excuses []Excuse
	changed chan struct{} // closed at the next message
}

// StartAuditor subscribes to every status.
func StartAuditor(tb testing.TB, conn *nats.Conn, provider *Provider) *Auditor {
	tb.Helper()
	a := &Auditor{conn: conn, provider: provider, changed: make(chan struct{})}
	subscription, err := conn.Subscribe(statusSubjects, a.hear)
	if err == nil {
		err = subscription.SetPendingLimits(-1, -1)
	}
	if err == nil && conn.IsConnected() {
		err = conn.Flush()
	}
	if err != nil {
		tb.Fatalf("subscribe auditor: %v", err)
	}
	return a
}

func (a *Auditor) hear(m *nats.Msg) {
	a.mu.Lock()
	defer a.mu.Unlock()
	heard, err := messageOf(m.Subject, m.Header, m.Data)
	if err != nil {
		a.faults = append(a.faults, err.Error())
		return
	}
	a.heard = append(a.heard, heard)
	close(a.changed)
	a.changed = make(chan struct{})
}

// Excuse notes that a replica could not pass on what it was shown then.
func (a *Auditor) Excuse(e Excuse) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.excuses = append(a.excuses, e)
}

// Heard returns the statuses that were heard of an order so far, and a channel
// that is closed when another message comes.
func (a *Auditor) Heard(order string) (statuses []string, changed <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.heard {
		if m.event.OrderID == order {
			statuses = append(statuses, m.event.Status)
		}
	}
	return statuses, a.changed
}

// WaitHeard waits until the last status heard of an order is the given one and
// returns when it arrived.
func (a *Auditor) WaitHeard(ctx context.Context, order, status string) (time.Time, error) {
	for {
		statuses, changed := a.Heard(order)
		if n := len(statuses); n > 0 && statuses[n-1] == status {
			a.mu.Lock()
			defer a.mu.Unlock()
			for _, m := range slices.Backward(a.heard) {
				if m.event.OrderID == order {
					return m.at, nil
				}
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("wait for status %s of order %s, heard %v: %w", status, order, statuses, context.Cause(ctx))
		}
	}
}

// WaitStored waits until the last status that is stored of an order is the given
// one, for those who cannot rely on having heard it: they, or a server, were
// away. It returns how many statuses the order has.
func (a *Auditor) WaitStored(ctx context.Context, terminal, order, status string) (sequence int, err error) {
	subject := "pos." + terminal + "." + strings.NewReplacer(".", "%2E", "/", "%2F").Replace(order) + ".status"
	js, err := jetstream.New(a.conn)
	if err != nil {
		return 0, err
	}
	tick := time.NewTicker(look)
	defer tick.Stop()
	var last event
	for {
		stream, err := js.Stream(ctx, statusStream)
		if err == nil {
			var m *jetstream.RawStreamMsg
			if m, err = stream.GetLastMsgForSubject(ctx, subject); err == nil {
				err = json.Unmarshal(m.Data, &last)
			}
		}
		if err == nil && last.Status == status {
			return last.Sequence, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, fmt.Errorf("wait for stored status %s of order %s, it is %q (%w): %w", status, order, last.Status, err, context.Cause(ctx))
		}
	}
}

// Report is what an audit found.
type Report struct {
	// Orders at the provider, and Events stored on the bus.
	Orders, Events int
	// Lost statuses: shown by the provider, and not published.
	Lost []string
	// Repeated statuses: published twice, out of order, or never shown.
	Repeated []string
	// Wrong is everything else that the contract does not allow.
	Wrong []string
	// Echoes are stored events that a plain subscriber heard a second time, the
	// very same message. A new leader of a replicated stream republishes what the
	// one before had stored and republished just before it was killed: that is
	// NATS's doing, and nothing that the bridge could prevent.
	Echoes []string
	// EchoesAllowed is set where the leader of a replicated stream was killed.
	EchoesAllowed bool
	// Missed are stored events that the auditor's plain subscription did not
	// hear. That is allowed while it or a server was away.
	Missed int
	// Unseen statuses were over before any replica that lived was shown them.
	Unseen []string
	// Unresolved orders were given up by the bridge.
	Unresolved []string
}

func (r Report) String() string {
	return fmt.Sprintf("%d orders, %d events: %d lost, %d duplicates, %d wrong, %d unresolved; %d unseen by any replica, %d missed and %d heard again by a plain subscription",
		r.Orders, r.Events, len(r.Lost), len(r.Repeated), len(r.Wrong), len(r.Unresolved), len(r.Unseen), r.Missed, len(r.Echoes))
}

// Check fails the test for everything that must not be.
func (r Report) Check(tb testing.TB) {
	tb.Helper()
	tb.Logf("audit: %s", r)
	findings := []struct {
		what string
		list []string
	}{{"lost", r.Lost}, {"duplicate", r.Repeated}, {"wrong", r.Wrong}, {"unresolved", r.Unresolved}}
	if !r.EchoesAllowed {
		findings = append(findings, struct {
			what string
			list []string
		}{"heard again", r.Echoes})
	}
	for _, found := range findings {
		for i, f := range found.list {
			if i == 20 {
				tb.Errorf("%s: and %d more", found.what, len(found.list)-i)
				break
			}
			tb.Errorf("%s: %s", found.what, f)
		}
	}
}

// Audit reads the whole status stream and judges every order at the provider.
// The payments must be over.
func (a *Auditor) Audit(tb testing.TB) Report {
	tb.Helper()
	var stored []message
	var err error
	read := Eventually(natsLimit, func() bool { // a server that was just killed may not answer yet
		stored, err = a.readStream()
		return err == nil
	})
	if !read {
		tb.Fatalf("read status stream: %v", err)
	}
	a.mu.Lock()
	heard, excuses := slices.Clone(a.heard), slices.Clone(a.excuses)
	r := Report{Events: len(stored), Wrong: slices.Clone(a.faults)}
	a.mu.Unlock()

	byOrder, heardOf := map[string][]message{}, map[string][]message{}
	for _, m := range stored {
		byOrder[m.event.OrderID] = append(byOrder[m.event.OrderID], m)
	}
	for _, m := range heard {
		heardOf[m.event.OrderID] = append(heardOf[m.event.OrderID], m)
	}
	shown := map[string][]Shown{}
	for _, s := range a.provider.Shown() {
		shown[s.Order] = append(shown[s.Order], s)
	}
	ids := map[string]string{}
	for _, m := range stored {
		if other, twice := ids[m.id]; twice {
			r.Repeated = append(r.Repeated, fmt.Sprintf("Nats-Msg-Id %q on %s and %s", m.id, other, m.subject))
		}
		ids[m.id] = m.subject
	}
	for _, o := range a.provider.Orders() {
		r.Orders++
		published := byOrder[o.ID]
		delete(byOrder, o.ID)
		r.judgeForm(o, published)
		r.judgeHeard(o.ID, published, heardOf[o.ID])
		delete(heardOf, o.ID)
		r.judgeHistory(o, published, shown[o.ID], excuses)
	}
	for _, order := range slices.Sorted(maps.Keys(byOrder)) {
		r.Repeated = append(r.Repeated, fmt.Sprintf("order %s: %d events of an order that the provider does not have", order, len(byOrder[order])))
	}
	for _, order := range slices.Sorted(maps.Keys(heardOf)) {
		r.Repeated = append(r.Repeated, fmt.Sprintf("order %s: heard on the bus, and not stored", order))
	}
	return r
}

// readStream reads every status that is stored, in order.
func (a *Auditor) readStream() ([]message, error) {
	ctx, cancel := context.WithTimeout(context.Background(), natsLimit)
	defer cancel()
	js, err := jetstream.New(a.conn)
	if err != nil {
		return nil, err
	}
	stream, err := js.Stream(ctx, statusStream)
	if err != nil {
		return nil, err
	}
	left := int(stream.CachedInfo().State.Msgs)
	consumer, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return nil, err
	}
	var all []message
	for left > 0 {
		batch, err := consumer.Fetch(min(left, 1000), jetstream.FetchMaxWait(10*time.Second))
		if err != nil {
			return nil, err
		}
		for m := range batch.Messages() {
			left--
			if !strings.HasSuffix(m.Subject(), ".status") {
				continue
			}
			read, err := messageOf(m.Subject(), m.Headers(), m.Data())
			if err != nil {
				return nil, err
			}
			all = append(all, read)
		}
		if err := batch.Error(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// judgeHeard holds what a plain subscriber heard against what is stored: the
// same messages in the same order; some may be missing.
func (r *Report) judgeHeard(order string, stored, heard []message) {
	next, matched := 0, 0
	for _, m := range heard {
		found := slices.IndexFunc(stored[next:], func(s message) bool {
			return s.subject == m.subject && s.id == m.id && s.body == m.body
		})
		if found < 0 && slices.ContainsFunc(stored[:next], func(s message) bool { return s.subject == m.subject && s.id == m.id && s.body == m.body }) {
			r.Echoes = append(r.Echoes, fmt.Sprintf("order %s: %s (sequence %d): heard %s", order, m.event.Status, m.event.Sequence, bodies(heard)))
			continue
		}
		if found < 0 {
			r.Repeated = append(r.Repeated, fmt.Sprintf("order %s: a subscriber heard %s (sequence %d) twice, out of order, or unlike what is stored: heard %s, stored %s",
				order, m.event.Status, m.event.Sequence, bodies(heard), bodies(stored)))
			continue
		}
		next += found + 1
		matched++
	}
	r.Missed += len(stored) - matched
}

// bodies writes messages down, for people.
func bodies(messages []message) string {
	var b strings.Builder
	for _, m := range messages {
		fmt.Fprintf(&b, "[%s %s %s] ", m.at.Format("05.000"), m.id, m.body)
	}
	return b.String()
}

// judgeHistory holds the order of statuses against the provider's.
func (r *Report) judgeHistory(o simulator.Order, published []message, shown []Shown, excuses []Excuse) {
	// Asked for before the customer did anything, the provider says initialized.
	changes := []Change{{Status: "initialized", At: o.Created}}
	for _, e := range o.Events {
		changes = append(changes, Change{Status: e.Status, At: e.At})
	}
	witnessed(changes, shown)
	var statuses []string
	for _, m := range published {
		if m.event.Status == "unresolved" {
			r.Unresolved = append(r.Unresolved, fmt.Sprintf("order %s, the provider says %s", o.ID, o.Status))
			continue
		}
		statuses = append(statuses, m.event.Status)
	}
	w := weigh(statuses, changes, obligation{changes: changes, excuses: excuses, patience: 30 * time.Second}.must)
	if w.Forged {
		r.Repeated = append(r.Repeated, fmt.Sprintf("order %s: published %v, the provider showed %v", o.ID, statuses, o.Statuses()))
	}
	for _, l := range w.Lost {
		r.Lost = append(r.Lost, fmt.Sprintf("order %s: %s; published %v, the provider showed %s", o.ID, l, statuses, history(o, shown)))
	}
	for _, u := range w.Unseen {
		if u != "initialized (1 of "+strconv.Itoa(len(changes))+")" { // the customer's first step came before anybody asked
			r.Unseen = append(r.Unseen, fmt.Sprintf("order %s: %s", o.ID, u))
		}
	}
}

// history writes down what the provider showed, for people.
func history(o simulator.Order, shown []Shown) string {
	var b strings.Builder
	for _, e := range o.Events {
		fmt.Fprintf(&b, "%s %s; ", e.At.Format("05.000"), e.Status)
	}
	b.WriteString("on streams: ")
	for _, s := range shown {
		fmt.Fprintf(&b, "%s %s to %s; ", s.At.UTC().Format("05.000"), s.Status, s.Replica)
	}
	return b.String()
}

// witnessed adds who was shown which change: on each replica's streams the
// statuses went out in the order of the changes, some of them perhaps not.
func witnessed(changes []Change, shown []Shown) {
	for _, s := range shown {
		// The latest change of that status that had happened by then.
		for i := len(changes) - 1; i > 0; i-- {
			if changes[i].Status == s.Status && !changes[i].At.After(s.At) {
				changes[i].Witnesses = append(changes[i].Witnesses, Witness{s.Replica, s.At})
				break
			}
		}
	}
}

var transactionForm = regexp.MustCompile(`^[0-9]*$`)

// judgeForm holds every event of an order to the letter of the contract.
func (r *Report) judgeForm(o simulator.Order, published []message) {
	previous, final := "", false
	for i, m := range published {
		e := m.event
		wrong := func(format string, args ...any) {
			r.Wrong = append(r.Wrong, fmt.Sprintf("order %s, event %d: ", o.ID, i+1)+fmt.Sprintf(format, args...))
		}
		token := strings.NewReplacer(".", "%2E", "/", "%2F").Replace(o.ID)
		if want := "pos." + o.Terminal + "." + token + ".status"; m.subject != want {
			wrong("subject %q, want %q", m.subject, want)
		}
		if want := o.Terminal + "." + token + "." + strconv.Itoa(i+1); m.id != want {
			wrong("Nats-Msg-Id %q, want %q", m.id, want)
		}
		if e.TransactionID == nil || e.FinancialStatus == nil || e.PreviousStatus == nil || e.Final == nil || e.ObservedAt == nil {
			wrong("a field is missing: %s", m.body)
			continue
		}
		if e.Sequence != i+1 {
			wrong("sequence %d, want %d", e.Sequence, i+1)
		}
		if e.TerminalID != o.Terminal || e.Amount != o.Amount || e.Currency != o.Currency {
			wrong("terminal %s, amount %d %s, want %s, %d %s", e.TerminalID, e.Amount, e.Currency, o.Terminal, o.Amount, o.Currency)
		}
		if e.SessionID != "" && e.SessionID != o.SessionID {
			wrong("session id %q, want %q or none", e.SessionID, o.SessionID)
		}
		if want := strconv.FormatInt(o.TransactionID, 10); !transactionForm.MatchString(*e.TransactionID) || *e.TransactionID != "" && *e.TransactionID != want {
			wrong("transaction id %q, want %q or none", *e.TransactionID, want)
		}
		if *e.PreviousStatus != previous {
			wrong("previous status %q, want %q", *e.PreviousStatus, previous)
		}
		if previous == e.Status {
			r.Repeated = append(r.Repeated, fmt.Sprintf("order %s, event %d: %s again", o.ID, i+1, e.Status))
		}
		if previous == "unresolved" {
			wrong("%s follows unresolved", e.Status)
		}
		if final = final || endsPayment(e.Status); *e.Final != final {
			wrong("final is %v on %s, want %v", *e.Final, e.Status, final)
		}
		if !slices.Contains([]string{"stream", "reconcile", "bridge"}, e.Source) {
			wrong("source %q", e.Source)
		}
		previous = e.Status
	}
}

// OpenSessions returns how many sessions are still in the queue and how many
// records in the bucket.
func (a *Auditor) OpenSessions(ctx context.Context) (queued, records int, err error) {
	js, err := jetstream.New(a.conn)
	if err != nil {
		return 0, 0, err
	}
	stream, err := js.Stream(ctx, sessionStream)
	if err != nil {
		return 0, 0, err
	}
	bucket, err := js.KeyValue(ctx, sessionBucket)
	if err != nil {
		return 0, 0, err
	}
	keys, err := bucket.ListKeys(ctx)
	if err != nil {
		return 0, 0, err
	}
	for range keys.Keys() {
		records++
	}
	return int(stream.CachedInfo().State.Msgs), records, nil
}

// WaitRest waits until no session is open: no terminal is locked.
func (a *Auditor) WaitRest(tb testing.TB, limit time.Duration) {
	tb.Helper()
	var queued, records int
	var err error
	at := Eventually(limit, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		queued, records, err = a.OpenSessions(ctx)
		return err == nil && queued == 0 && records == 0
	})
	if !at {
		tb.Errorf("after %s %d sessions are still queued and %d records there (%v)", limit, queued, records, err)
	}
}
