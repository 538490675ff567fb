package payment

import (
	"slices"
	"time"

	"github.com/posbridge/bridge/schema"
)

// Payment is everything that this replica knows of one payment. It is a value:
// Step returns the next one.
type Payment struct {
	Rules   *Rules
	Session Session
	Place   Place
	Ledger  Ledger
	// State is what the last stored status says.
	State State
	Phase Phase
	// Pending are observations that wait to be stored, oldest first.
	Pending  Pending
	Stream   Stream
	Question Question
	Cancel   CancelRequest
	// Lookers wait until the provider has been asked and the news is stored.
	Lookers []uint64
	// Answered is set once the requester of the start has got an answer.
	Answered bool
	// Visitor is the answer to another start of the order after its end, until
	// that session has left the queue; nil when there is none.
	Visitor *AnswerStart
	// Next is another session of the order that was delivered and waits for what this
	// replica is about to know; nil when there is none.
	Next *Delivered
	// Handed is set when the owner before handed the session over.
	Handed bool
	// Condemned is set when the payment has made the program fail again and again:
	// it is taken up only to be given up.
	Condemned bool
	// Drain is set while this replica stops.
	Drain Drain
	// Invalid are events that were not understood and wait to be stored;
	// Invalids counts all of them.
	Invalid  []schema.InvalidEvent
	Invalids int
	Timers   [timerCount]time.Time
}

// Ledger is the order's log as this replica knows it.
type Ledger struct {
	// Last is the sequence of the last message of the order.
	Last uint64
	// Epoch of this replica's claim, or of the one that it stores; 0 before that.
	Epoch uint64
	// Claim is the one that this replica stored, or stores.
	Claim Claim
	// Ended are the nonces of sessions that ended without the order.
	Ended []string
	// Seen are the stored statuses.
	Seen *chain[Seen]
	// Writing is the message in flight, or was refused and may be in the log all the same;
	// nil when there is none.
	Writing Write
}

// Write is a message in flight to the log.
type Write interface{ write() }

type (
	claimWrite   struct{}
	statusWrite  struct{ status Status }
	invalidWrite struct{}
)

func (claimWrite) write()   {}
func (statusWrite) write()  {}
func (invalidWrite) write() {}

// Stream is the order's event stream.
type Stream struct {
	// Sealed is its address and token, encrypted; empty when there is none.
	Sealed []byte
	// Wanted is set while a connection is kept, Connected while it is open.
	Wanted, Connected bool
	Connection        Connection
	// Early are openings and events from before the claim, in order.
	Early []early
	// LastID is the id of the last event.
	LastID string
}

// Drain says whether this replica stops, and whether another one can go on.
type Drain int

// What a drain can be.
const (
	// DrainNot: it does not stop.
	DrainNot Drain = iota
	// DrainToOthers: it stops, and another replica is there to go on.
	DrainToOthers
	// DrainAlone: it stops, and no other replica is known to be there.
	DrainAlone
)

// early is what the stream brought before the claim: an event, something that
// was not understood, or else an opening.
type early struct {
	at      time.Time
	event   *Observation
	invalid bool
}

// Question is what the provider is being asked about the order.
type Question struct {
	// Asking is set while a question is on its way, Routine while it may wait.
	Asking, Routine bool
	// Moment is how far the payment has come. Whoever sends a question copies it
	// directly before, and the answer brings the copy back.
	Moment Moment
	// Interval is the time to the next routine question.
	Interval time.Duration
	// Polls counts questions without a stream.
	Polls int
	// Held are answers with news, oldest first, while the stream may still show how
	// it came to them.
	Held []Observation
	// Suspect is an answer with news that may be old, nil when there is none.
	Suspect *Suspect
}

// Suspect is an answer that may be older than what is known. Another one has to say the
// same.
type Suspect struct {
	Observation Observation
	// Look is the first reason to ask (Moment.Reasons) whose answer decides, 0 until it is
	// time for that question. Looks counts such questions.
	Look  uint64
	Looks int
}

// Moment tells what came before a question and what came after it. It counts: no
// clock decides, because clocks are set.
type Moment struct {
	// News counts what makes older answers old: events of the stream, and cancels
	// that ended the order.
	News uint64
	// Reasons counts the reasons to ask: an answer to an older question is not
	// enough.
	Reasons uint64
}

// CancelRequest is a cancel that somebody wants.
type CancelRequest struct {
	Waiters []uint64
	// Sent is set while the cancel is on its way.
	Sent bool
	// Failure is what the waiters are told unless the order turns out to be over.
	Failure *schema.Error
}

// Timer is one of the times at which a payment wants a Tick.
type Timer int

// The timers of a payment.
const (
	// TimerAnswer: the requester is told that the outcome is not known.
	TimerAnswer Timer = iota
	// TimerLife: the session is given up.
	TimerLife
	// TimerPhase: what the phase waits for has taken long enough.
	TimerPhase
	// TimerQuestion: the next question is due.
	TimerQuestion
	// TimerHold: an answer or a run of events was held long enough.
	TimerHold
	// TimerCancel: a cancel has failed, and asking did not tell more in time.
	TimerCancel
	// TimerLook: an answer that may be old is old enough to be compared with a new one.
	TimerLook
	timerCount
)

// Due is when the payment wants the next Tick; zero when it wants none.
func (p Payment) Due() time.Time {
	var due time.Time
	for _, at := range p.Timers {
		if !at.IsZero() && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	return due
}

// New returns the payment of a session. It does nothing before its first Step.
func New(rules *Rules, session Session, place Place) Payment {
	return Payment{Rules: rules, Session: session, Place: place}
}

// Active reports whether this replica owns the session and keeps it alive.
func (p Payment) Active() bool {
	switch p.Phase.(type) {
	case Creating, Opening, Following, GivingUp, Ending, Closing:
		return true
	case Settling, Unlocking:
		return !p.Place.Gone
	}
	return false
}

// Locks reports whether the payment's session must be in the queue, where it locks the
// terminal. A payment that is handed over locks it too, although it sends no heartbeats.
func (p Payment) Locks() bool {
	_, handing := p.Phase.(HandingOver)
	return handing || p.Active()
}

// Times that are no settings.
const (
	// answerGrace is how long after the start deadline a definite answer may
	// still come before the requester is told that the outcome is unknown.
	answerGrace = 100 * time.Millisecond
	// failurePatience is how long a create is repeated at a provider that fails
	// without saying for how long: a till should know within seconds.
	failurePatience = 3 * time.Second
	// arrivalLimit is how long after its deadline a create may still be carried
	// out, beyond BRIDGE_REQUEST_TIMEOUT: a gateway or proxy may hold it (R3).
	arrivalLimit = time.Minute
	// clockTolerance is how far another clock may be from that of NATS.
	clockTolerance = 2 * time.Second
	// connectLimit is how long a successor waits for the stream before it claims.
	connectLimit = 2 * time.Second
	// askOwnerPause is the time between two questions to a silent owner.
	askOwnerPause = 250 * time.Millisecond
	// storingPause is the first pause before an owner that has something to store is
	// asked again: a publish takes milliseconds. It doubles at most maxStoring times.
	storingPause = 5 * time.Millisecond
	maxStoring   = 6
	// streamFirst is how long an answer waits while the stream is open: the
	// answer says where things went, the stream shows how.
	streamFirst = 150 * time.Millisecond
	// streamPatience is how long a new stream may take to open before the order
	// is asked for, and how long events that may be repeats are held.
	streamPatience = 2 * time.Second
	// handOverLimit is how long a replica that stops waits for its successor before it
	// gives the session back again, or leaves it when no other replica is there.
	handOverLimit = 2 * time.Second
	// routineFactor is how much rarer routine questions become.
	routineFactor = 8
	// doubtLimit is how often an answer is doubted after the end of a payment, and how
	// often another one is compared with it.
	doubtLimit = 8
	// maxInvalid is how many events of one session are stored as invalid.
	maxInvalid = 100
)

// turn is one step of a payment under way.
type turn struct {
	p       Payment
	at      time.Time
	effects []Effect
}

func (t *turn) do(effects ...Effect) { t.effects = append(t.effects, effects...) }

func (t *turn) note(kind NoteKind, text string) { t.do(Note{Kind: kind, Text: text}) }

func (t *turn) wake(timer Timer, after time.Duration) { t.p.Timers[timer] = t.at.Add(after) }

func (t *turn) stop(timer Timer) { t.p.Timers[timer] = time.Time{} }

// pause is the time before the next try of what has failed n times.
func (t *turn) pause(n int) time.Duration {
	d := t.p.Rules.BackoffInitial
	for range min(n, 20) {
		if d = d * 17 / 10; d >= t.p.Rules.BackoffMax {
			return t.p.Rules.BackoffMax
		}
	}
	return d
}

// leave ends the payment here. Whoever waits is told to ask another replica.
func (t *turn) leave(why LeaveReason) {
	if t.p.Stream.Wanted {
		t.closeStream()
	}
	for _, w := range slices.Concat(t.p.Cancel.Waiters, t.p.Lookers) {
		t.do(Respond{Waiter: w, Elsewhere: true})
	}
	t.p.Cancel.Waiters, t.p.Lookers = nil, nil
	t.seeOff()
	if next := t.p.Next; next != nil && next.Place.Handle != "" { // it begins afresh
		t.do(GiveBack{Handle: next.Place.Handle})
	}
	t.p.Next = nil
	t.p.Timers = [timerCount]time.Time{}
	t.become(Left{})
	t.do(Leave{Why: why})
}

// certain is from when on "not there" proves that nothing will come to exist:
// no create can still be carried out (R3).
func (t *turn) certain() time.Time {
	if t.lacks(ruleWait) {
		return t.p.Session.Deadline
	}
	return t.p.Session.Deadline.Add(t.p.Rules.RequestTimeout + arrivalLimit + clockTolerance)
}

// answer answers the requester of the start, once.
func (t *turn) answer(a AnswerStart) {
	if !t.p.Answered {
		t.do(a)
	}
	t.p.Answered = true
	t.stop(TimerAnswer)
}

// unlock takes the session out of the queue.
func (t *turn) unlock() {
	if t.p.Place.Seq != 0 && !t.p.Place.Gone {
		t.do(Unlock{Place: t.p.Place})
		return
	}
	t.p.Place.Gone = true
}

// closeStream ends the connection to the event stream.
func (t *turn) closeStream() {
	t.p.Stream.Wanted, t.p.Stream.Connected = false, false
	t.do(CloseStream{})
}

// seeOff answers the visitor once its session has left the queue.
func (t *turn) seeOff() {
	if v := t.p.Visitor; v != nil && v.Reply != "" {
		t.do(*v)
	}
	t.p.Visitor = nil
}

// expectAnswer sets the time at which whoever waits for the start is answered,
// whatever is known by then.
func (t *turn) expectAnswer() {
	if p := &t.p; p.Session.Reply != "" {
		p.Timers[TimerAnswer] = p.Session.Deadline.Add(answerGrace)
	}
}

// giveBack leaves a session whose order this replica does not follow yet.
func (t *turn) giveBack() {
	if t.p.Place.Handle != "" {
		t.do(GiveBack{Handle: t.p.Place.Handle})
	}
	t.leave(LeaveHandedOver)
}

// lacks reports whether a rule is switched off.
func (t *turn) lacks(rule ruleSet) bool { return t.p.Rules.without&rule != 0 }
