package payment

import (
	"testing"
	"time"

	"github.com/posbridge/bridge/schema"
)

// What it means that the fence refused a message (R6).
func TestJudgeRefusal(t *testing.T) {
	t.Parallel()
	claim := func(owner string, epochs uint64, phase ClaimPhase, at time.Duration) *Claim {
		return &Claim{Owner: owner, Epoch: epochs, Phase: phase, UpdatedAt: epoch.Add(at)}
	}
	entry := func(sequence, epochs uint64, status string) Status {
		return Status{Epoch: epochs, Event: schema.StatusEvent{Sequence: sequence, Status: status}}
	}
	status := statusWrite{status: entry(2, 2, "declined")}
	first := entry(1, 2, "initialized")
	tests := []struct {
		name    string
		writing Write
		log     Log
		want    refusal
	}{
		{"the claim is stored", claimWrite{}, Log{Last: 9, Claim: claim("r1", 2, ClaimOpen, 0)}, refusedAfterAll},
		{"an older claim of this replica is", claimWrite{}, Log{Last: 9, Claim: claim("r1", 2, ClaimCreating, 0)}, refusedByOwn},
		{"the same claim from before", claimWrite{}, Log{Last: 9, Claim: claim("r1", 2, ClaimOpen, time.Second)}, refusedByOwn},
		{"the status is stored", status, Log{Last: 9, Claim: claim("r1", 2, ClaimOpen, 0), Statuses: []Status{first, status.status}}, refusedAfterAll},
		{"another status is", status, Log{Last: 9, Claim: claim("r1", 2, ClaimOpen, 0), Statuses: []Status{first, entry(2, 2, "completed")}}, refusedByOwn},
		{"the status is stored, and the session claimed since", status, Log{Last: 9, Claim: claim("r2", 3, ClaimOpen, 0), Statuses: []Status{first, status.status}}, refusedByOwner},
		{"the invalid event is stored", invalidWrite{}, Log{Last: 9, Claim: claim("r1", 2, ClaimOpen, 0), Statuses: []Status{first}}, refusedAfterAll},
		{"it is not", invalidWrite{}, Log{Last: 8, Claim: claim("r1", 2, ClaimOpen, 0), Statuses: []Status{first}}, refusedByOwn},
		{"a higher claim", status, Log{Last: 9, Claim: claim("r2", 3, ClaimOpen, 0), Statuses: []Status{first}}, refusedByOwner},
		{"a status of a higher claim that has expired", status, Log{Last: 9, Statuses: []Status{first, entry(2, 3, "declined")}}, refusedByOwner},
		{"a lower claim of another replica: the log was made anew", status, Log{Last: 99, Claim: claim("r2", 1, ClaimOpen, 0)}, refusedByOwner},
		{"the claim has expired", status, Log{Last: 7, Statuses: []Status{first}}, refusedByLoss},
		{"the log is gone", status, Log{}, refusedByLoss},
		{"the log goes back", status, Log{Last: 7, Claim: claim("r1", 2, ClaimOpen, 0), Statuses: []Status{first}}, refusedByLoss},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ledger := Ledger{Last: 8, Epoch: 2, Claim: *claim("r1", 2, ClaimOpen, 0), Seen: (*chain[Seen])(nil).with(Seen{Status: "initialized"}), Writing: tt.writing}
			if got := judgeRefusal(ledger, tt.log); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

// What the requester of a start, and of a cancel, is told.
func TestFailures(t *testing.T) {
	t.Parallel()
	tests := []struct {
		outcome       Outcome
		start, cancel schema.Code
		refuses       bool
	}{
		{NotSent, schema.ProviderUnavailable, schema.ProviderUnavailable, false},
		{TooLate, schema.ProviderUnavailable, schema.OutcomeUnknown, false},
		{Limited, schema.ProviderUnavailable, schema.ProviderUnavailable, false},
		{Rejected, schema.ProviderRejected, schema.ProviderRejected, true},
		{KeyRefused, schema.ProviderError, schema.ProviderError, true},
		{Nonsense, schema.ProviderError, schema.ProviderError, true},
		{Used, schema.ProviderRejected, schema.ProviderRejected, false},
		{Doubtful, schema.ProviderUnavailable, schema.OutcomeUnknown, false},
	}
	for _, tt := range tests {
		t.Run(outcomeNames[tt.outcome], func(t *testing.T) {
			t.Parallel()
			provider := &schema.ProviderAnswer{HTTPStatus: 418}
			start, cancel := Posted{Outcome: tt.outcome, Provider: provider}.failure(), Cancelled{Outcome: tt.outcome, Provider: provider}.failure()
			if start.Code != tt.start || cancel.Code != tt.cancel || tt.outcome.refuses() != tt.refuses {
				t.Errorf("got %s, %s, %v; want %s, %s, %v", start.Code, cancel.Code, tt.outcome.refuses(), tt.start, tt.cancel, tt.refuses)
			}
			if start.Provider != provider || cancel.Provider != provider {
				t.Error("the provider's answer is missing")
			}
		})
	}
}

// An order that the provider knows already is ours if it is what was asked for.
func TestIsOurs(t *testing.T) {
	t.Parallel()
	s := testSession("A")
	ours := Answered{Exists: true, Status: "initialized", Amount: 1000, Currency: "eur", Terminal: "t1", Created: epoch}
	tests := []struct {
		name   string
		change func(*Answered)
		want   bool
	}{
		{"everything fits", func(*Answered) {}, true},
		{"nothing is said", func(a *Answered) { *a = Answered{Exists: true, Status: "initialized"} }, true},
		{"another amount", func(a *Answered) { a.Amount = 1001 }, false},
		{"another currency", func(a *Answered) { a.Currency = "USD" }, false},
		{"another terminal", func(a *Answered) { a.Terminal = "T2" }, false},
		{"older than the session", func(a *Answered) { a.Created = epoch.Add(-time.Minute) }, false},
		{"as old, by another clock", func(a *Answered) { a.Created = epoch.Add(-time.Second) }, true},
		{"over", func(a *Answered) { a.Status = "cancelled" }, true},
		{"over, made at an unknown time", func(a *Answered) { a.Status, a.Created = "completed", time.Time{} }, false},
		{"over, older than the session", func(a *Answered) { a.Status, a.Created = "completed", epoch.Add(-time.Minute) }, false},
		{"paid with a tip", func(a *Answered) { a.Status, a.Amount = "completed", 1208 }, true},
		{"paid with a tip, on an unknown terminal", func(a *Answered) { a.Status, a.Amount, a.Terminal = "completed", 1208, "" }, false},
		{"paid with a tip, made at an unknown time", func(a *Answered) { a.Status, a.Amount, a.Created = "completed", 1208, time.Time{} }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := ours
			tt.change(&a)
			if got := isOurs(s, a); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// An order that was made long before the session is another's, and its end is not the end
// of this payment.
func TestIsEarlier(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		age   time.Duration
		zoned bool
		want  bool
	}{
		{"by a clock that is wrong", 2 * time.Hour, true, false},
		{"of this morning", 2*time.Hour + time.Second, true, true},
		{"in another time zone", 16 * time.Hour, false, false},
		{"of yesterday", 16*time.Hour + time.Second, false, true},
		{"made since", -time.Second, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := testSession("A")
			a := Answered{Exists: true, Status: "completed", CreatedAbout: s.StartedAt.Add(-tt.age)}
			if tt.zoned {
				a.Created = a.CreatedAbout
			}
			if got := isEarlier(s, a); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	if isEarlier(testSession("A"), Answered{Exists: true, Status: "completed"}) {
		t.Error("an order whose time is not known counts as earlier")
	}
}
