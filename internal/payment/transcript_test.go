package payment

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/posbridge/bridge/schema"
)

// Transcripts are inputs of one payment and what must come of them. A file
// begins with "new"; every other command is an input, with at=… moving the clock.
// "go test -run Transcripts -rewrite" writes what comes of them now.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			s := &script{t: t}
			datadriven.RunTest(t, path, func(_ *testing.T, d *datadriven.TestData) string { return s.run(d) })
		})
	}
}

// script is one transcript under way.
type script struct {
	t     *testing.T
	rules Rules
	p     Payment
	now   time.Duration
	// sent is the question that the next answer is about; nil for one that is sent
	// when it is answered.
	sent *Answered
}

// testRules are the settings of transcripts.
func testRules() Rules {
	return Rules{
		Self: "r1", Replica: "r1", ReplicaTTL: 10 * time.Second, RequestTimeout: 10 * time.Second,
		BackoffInitial: 250 * time.Millisecond, BackoffMax: 5 * time.Second, ReconcileInterval: 15 * time.Second,
		SettleWindow: 3 * time.Second, SessionTimeout: 30 * time.Minute,
		Aftercare: []time.Duration{15 * time.Second, time.Minute, 5 * time.Minute}, ClaimTTL: 2 * time.Hour,
	}
}

func testSession(order string) Session {
	return Session{
		Request: schema.StartRequest{OrderID: order, TerminalID: "T1", Amount: 1000, Currency: "EUR"},
		Hash:    "hash", Nonce: "nonce", Group: "group", Reply: "inbox",
		StartedAt: epoch, Deadline: epoch.Add(30 * time.Second),
	}
}

// args are the arguments of a command: key=value, or a bare key.
type args struct{ d *datadriven.TestData }

func (a args) text(key string) string {
	for _, arg := range a.d.CmdArgs {
		if arg.Key == key && len(arg.Vals) > 0 {
			return arg.Vals[0]
		}
	}
	return ""
}

func (a args) has(key string) bool {
	return slices.ContainsFunc(a.d.CmdArgs, func(arg datadriven.CmdArg) bool { return arg.Key == key })
}

func (a args) number(key string) uint64 {
	n, _ := strconv.ParseUint(a.text(key), 10, 64)
	return n
}

func (a args) duration(key string) time.Duration {
	d, _ := time.ParseDuration(a.text(key))
	return d
}

func (s *script) run(d *datadriven.TestData) string {
	a := args{d}
	if a.has("at") {
		s.now = a.duration("at")
	}
	switch d.Cmd {
	case "new":
		return s.begin(a)
	case "sent": // a question leaves
		s.sent = s.question()
		return "ok\n"
	}
	event := s.event(d, a)
	if _, tick := event.(Tick); tick && !a.has("at") {
		due := s.p.Due()
		if due.IsZero() {
			return "no timer\n"
		}
		s.now = max(s.now, due.Sub(epoch))
	}
	return s.step(event)
}

// begin makes another payment.
func (s *script) begin(a args) string {
	s.rules = testRules()
	if a.has("no-aftercare") {
		s.rules.Aftercare = nil
	}
	if a.has("session-timeout") {
		s.rules.SessionTimeout = a.duration("session-timeout")
	}
	session := testSession("A")
	if a.has("nobody-waits") {
		session.Reply = ""
	}
	if a.has("bare") { // what a sweep or a command knows
		session = Session{Request: schema.StartRequest{OrderID: "A", TerminalID: "T1"}}
	}
	s.now = 0
	s.p = New(&s.rules, session, Place{})
	s.p.Condemned = a.has("condemned")
	return "ok\n"
}

func (s *script) step(event Event) string {
	var b strings.Builder
	before := PhaseOf(s.p)
	next, effects := Step(s.p, Input{At: epoch.Add(s.now), Event: event})
	s.p = next
	if now := PhaseOf(next); now != before {
		fmt.Fprintf(&b, "%v: %s\n", s.now, now)
	}
	for _, e := range effects {
		fmt.Fprintf(&b, "  %s\n", describeEffect(e))
	}
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}

func (s *script) event(d *datadriven.TestData, a args) Event {
	switch d.Cmd {
	case "delivered":
		e := Delivered{Place: Place{
			Seq: a.number("seq"), Handle: a.text("handle"), Delivered: max(1, a.number("n")),
			LogCreated: epoch.Add(a.duration("log-created")),
		}}
		if a.has("session") {
			e.Session = testSession("A")
			if nonce := a.text("session"); nonce != "" {
				e.Session.Nonce, e.Session.Reply = nonce, "inbox of "+nonce
			}
			if a.has("hash") {
				e.Session.Hash = a.text("hash")
			}
		}
		return e
	case "found":
		return Found{}
	case "log":
		return LogRead{Log: s.log(d, a)}
	case "stored":
		return Stored{Seq: a.number("seq")}
	case "refused":
		return Refused{}
	case "posted":
		return Posted{
			Outcome: s.outcome(a), RetryAfter: a.duration("retry"), Reason: a.text("outcome"),
			SessionID: a.text("session"), Sealed: []byte(a.text("sealed")),
		}
	case "answered":
		sent := s.sent
		if s.sent = nil; sent == nil {
			sent = s.question()
		}
		return Answered{
			Exists: !a.has("missing"), Status: a.text("status"), Transaction: a.text("tx"), Terminal: a.text("terminal"),
			Amount: int64(a.number("amount")), Created: created(a), CreatedAbout: created(a), Elsewhere: a.has("elsewhere"), SentAt: sent.SentAt, Asked: sent.Asked,
		}
	case "cancelled":
		return Cancelled{Outcome: s.outcome(a), Status: a.text("status")}
	}
	return s.otherEvent(d, a)
}

func (s *script) otherEvent(d *datadriven.TestData, a args) Event {
	switch d.Cmd {
	case "opened":
		return StreamOpened{}
	case "event":
		return StreamEvent{Observation: Observation{
			Source: schema.SourceStream, Status: a.text("status"), Transaction: a.text("tx"), EventID: a.text("id"), At: epoch.Add(s.now),
		}}
	case "invalid":
		return StreamInvalid{Reason: "not understood"}
	case "unsettled":
		return StreamUnsettled{}
	case "ended":
		return StreamEnded{Lost: a.has("lost"), Reason: "the stream ended"}
	case "tick":
		return Tick{}
	case "said":
		word := slices.Index(wordNames, d.CmdArgs[0].Key)
		return OwnerSaid{Word: Word(word), Calm: a.has("calm")}
	case "asked":
		return Asked{Waiter: a.number("waiter"), Epoch: a.number("epoch"), Handle: a.text("handle"), QueueSeq: a.number("seq")}
	case "cancel":
		return CancelAsked{Waiter: a.number("waiter")}
	case "look":
		return LookAsked{Waiter: a.number("waiter")}
	case "outranked":
		return Outranked{Epoch: a.number("epoch"), Phase: ClaimPhase(a.text("phase"))}
	case "unlocked":
		return Unlocked{}
	case "requeued":
		return Requeued{Seq: a.number("seq")}
	case "draining":
		return Draining{Alone: a.has("alone")}
	}
	d.Fatalf(s.t, "unknown command %s", d.Cmd)
	return nil
}

func (s *script) outcome(a args) Outcome {
	name := strings.ReplaceAll(a.text("outcome"), "-", " ")
	outcome := slices.Index(outcomeNames, name)
	if outcome < 1 {
		s.t.Fatalf("%s: unknown outcome %q", a.d.Pos, name)
	}
	return Outcome(outcome)
}

// question is what an answer says about a question that is sent now.
func (s *script) question() *Answered {
	return &Answered{SentAt: epoch.Add(s.now), Asked: s.p.Question.Moment}
}

func created(a args) time.Time {
	if !a.has("created") {
		return time.Time{}
	}
	return epoch.Add(a.duration("created"))
}

// log reads a log: the claim and the statuses, one a line.
func (s *script) log(d *datadriven.TestData, a args) Log {
	log := Log{Last: a.number("last"), Created: epoch.Add(a.duration("created"))}
	for line := range strings.Lines(d.Input) {
		fields := strings.Fields(line)
		values := map[string]string{}
		for _, f := range fields[2:] {
			key, value, _ := strings.Cut(f, "=")
			values[key] = value
		}
		n := func(key string) uint64 { v, _ := strconv.ParseUint(values[key], 10, 64); return v }
		hash := "hash"
		if values["hash"] != "" {
			hash = values["hash"]
		}
		switch fields[0] {
		case "claim":
			log.Claim = &Claim{
				Owner: values["owner"], Replica: values["owner"], Epoch: n("epoch"), Phase: ClaimPhase(fields[1]), Session: testSession("A"),
				SessionID: "S1", Sealed: []byte(values["sealed"]), QueueSeq: n("seq"), Handle: values["handle"],
			}
			log.Claim.Session.Hash = hash
			if values["nonce"] != "" {
				log.Claim.Session.Nonce = values["nonce"]
			}
			if deadline, err := time.ParseDuration(values["deadline"]); err == nil {
				log.Claim.Session.Deadline = epoch.Add(deadline)
			}
			if values["ended"] != "" {
				log.Claim.Ended = []string{values["ended"]}
			}
			if at, err := time.ParseDuration(values["updated"]); err == nil {
				log.Claim.UpdatedAt = epoch.Add(at)
			}
			if code := values["answer"]; code != "" {
				log.Claim.Answer = schema.NewError(schema.Code(code), "as stored")
			}
		case "status":
			previous := ""
			if newest := log.Newest(); newest != nil {
				previous = newest.Event.Status
			}
			sequence := uint64(len(log.Statuses) + 1)
			if values["sequence"] != "" {
				sequence = n("sequence")
			}
			log.Statuses = append(log.Statuses, Status{
				Event: schema.StatusEvent{
					OrderID: "A", TerminalID: "T1", SessionID: "S1", Status: fields[1], TransactionID: values["tx"], PreviousStatus: previous,
					Final: schema.IsFinal(fields[1]), Sequence: sequence, Amount: 1000, Currency: "EUR", ObservedAt: epoch.Add(s.now),
				},
				Hash: hash, Group: "group", Epoch: max(1, n("epoch")), EventID: values["id"], StartedAt: epoch,
			})
		default:
			d.Fatalf(s.t, "unknown line %s", line)
		}
	}
	return log
}

// PhaseOf names the phase of a payment.
func PhaseOf(p Payment) string {
	if p.Phase == nil {
		return ""
	}
	return p.Phase.name()
}
