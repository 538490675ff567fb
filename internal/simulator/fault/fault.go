// Package fault is what can go wrong at the provider and on the way to it: the kinds of
// faults, how they are written, and which of those that are set happens on an occasion.
package fault

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/posbridge/bridge/internal/simulator/calls"
)

// Name names something that can go wrong. Kinds describes each.
type Name string

// The faults of the event stream.
const (
	DropStream         Name = "drop_stream"
	RefuseStream       Name = "refuse_stream"
	HangStream         Name = "hang_stream"
	SilentStream       Name = "silent_stream"
	LoseEvents         Name = "lose_events"
	DuplicateEvents    Name = "duplicate_events"
	OutOfOrderEvents   Name = "out_of_order_events"
	JoinedEvents       Name = "joined_events"
	OtherOrderEvent    Name = "other_order_event"
	OtherEventType     Name = "other_event_type"
	GarbageEvent       Name = "garbage_event"
	HugeEvent          Name = "huge_event"
	OddFraming         Name = "odd_framing"
	UnterminatedEvent  Name = "unterminated_event"
	OddEvent           Name = "odd_event"
	History            Name = "history"
	PresentState       Name = "present_state"
	CompressedStream   Name = "compressed_stream"
	ExpiredToken       Name = "expired_token"
	OtherHostStreamURL Name = "other_host_stream_url"
)

// The faults of the order API and of the terminal.
const (
	LoseCreateAnswer Name = "lose_create_answer"
	LoseAnswer       Name = "lose_answer"
	FailAPI          Name = "fail_api"
	SlowAPI          Name = "slow_api"
	Redirect         Name = "redirect"
	StaleGet         Name = "stale_get"
	ErrorsWith200    Name = "errors_with_200"
	OddAnswer        Name = "odd_answer"
	OddPager         Name = "odd_pager"
	AccountTerminals Name = "account_terminals"
	RepeatCall       Name = "repeat_call"
	HideOrder        Name = "hide_order"
	BusyTerminal     Name = "busy_terminal"
	OfflineTerminal  Name = "offline_terminal"
	Pretransaction   Name = "pretransaction_webhook"
	EagerTerminal    Name = "eager_terminal"
	LateCancel       Name = "late_cancel"
	LaterStatus      Name = "later_status"
)

// What a fault does when its fields are left out.
const (
	DefaultDelay     = 3 * time.Second
	DefaultEventSize = 1 << 20 // bytes of a huge event
	maxEventSize     = 16 << 20
	MaxBodySize      = 64 << 20 // bytes of an endless or huge answer
	maxFaultCount    = 1_000_000
	maxAskedFaults   = 16 // by one order
	MaxDelay         = 10 * time.Minute
)

// Always is the Count of a fault that stays until it is taken back.
const Always = -1

// Fault is something that shall go wrong. The zero values of its fields stand
// for what Kinds says.
type Fault struct {
	// ID names the fault in the control API; made up when empty.
	ID   string `json:"id,omitempty"`
	Name Name   `json:"fault"`
	// Order, Terminal and Operation narrow it down; empty is any.
	Order     string          `json:"order_id,omitempty"`
	Terminal  string          `json:"terminal_id,omitempty"`
	Operation calls.Operation `json:"operation,omitempty"`
	// Count is how often it happens before it is spent: 0 is once, Always is
	// until it is taken back.
	Count int `json:"count,omitempty"`
	// After lets so many occasions pass first. For drop_stream and silent_stream:
	// how many events go out on a connection before.
	After int `json:"after,omitempty"`
	// Status is the HTTP status of an answer.
	Status int `json:"status,omitempty"`
	// ErrorCode and ErrorInfo of a provider-shaped error.
	ErrorCode int    `json:"error_code,omitempty"`
	ErrorInfo string `json:"error_info,omitempty"`
	// RetryAfter is sent as header as it is: seconds, or an HTTP date.
	RetryAfter string `json:"retry_after,omitempty"`
	// Delay of slow_api, hide_order and later_status; of the work of a call whose
	// answer is lost; life of the token of expired_token. JSON has it as text.
	Delay time.Duration `json:"delay,omitempty"`
	// Mode chooses one of the ways that Kinds lists: LoseBy…, Framing…, Shape….
	Mode string `json:"mode,omitempty"`
	// NotMade loses the answer without doing what was asked.
	NotMade bool `json:"not_made,omitempty"`
	// Clean ends a dropped stream properly instead of cutting the connection.
	Clean bool `json:"clean,omitempty"`
	// Late delays the answer after the work instead of the work.
	Late bool `json:"late,omitempty"`
	// URL of redirect and other_host_stream_url.
	URL string `json:"url,omitempty"`
	// Data of garbage_event; what is put over an answer by the mode patch of odd_answer.
	Data string `json:"data,omitempty"`
	// Size in bytes of huge_event and of a huge answer.
	Size int `json:"size,omitempty"`
	// When and Becomes are the statuses of later_status.
	When    string `json:"when,omitempty"`
	Becomes string `json:"becomes,omitempty"`
}

// WithDefaults returns f with its count, and the operation that its mode is for.
func (f Fault) WithDefaults() Fault {
	f.Count = cmp.Or(f.Count, 1)
	if f.Name == OddAnswer {
		f.Operation = cmp.Or(f.Operation, answerModes[f.Mode])
	}
	return f
}

// plain is a Fault without its methods.
type plain Fault

// wire is a Fault as the control API writes it: its own Delay hides the
// embedded one.
type wire struct {
	plain
	Delay string `json:"delay,omitempty"` // as time.ParseDuration reads it
}

// MarshalJSON writes the fault as the control API shows it: the delay as text.
func (f Fault) MarshalJSON() ([]byte, error) {
	j := wire{plain: plain(f)}
	if f.Delay != 0 {
		j.Delay = f.Delay.String()
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON writes and refuses unknown fields.
func (f *Fault) UnmarshalJSON(b []byte) error {
	var j wire
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&j); err != nil {
		return fmt.Errorf("read fault: %w", err)
	}
	*f = Fault(j.plain)
	if j.Delay != "" {
		d, err := time.ParseDuration(j.Delay)
		if err != nil {
			return errors.New(`read fault: delay must be a duration like "250ms"`)
		}
		f.Delay = d
	}
	return nil
}
