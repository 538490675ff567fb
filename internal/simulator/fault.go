package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// FaultName names something that can go wrong. FaultKinds describes each.
type FaultName string

// The faults of the event stream.
const (
	FaultDropStream         FaultName = "drop_stream"
	FaultRefuseStream       FaultName = "refuse_stream"
	FaultHangStream         FaultName = "hang_stream"
	FaultSilentStream       FaultName = "silent_stream"
	FaultLoseEvents         FaultName = "lose_events"
	FaultDuplicateEvents    FaultName = "duplicate_events"
	FaultOutOfOrderEvents   FaultName = "out_of_order_events"
	FaultJoinedEvents       FaultName = "joined_events"
	FaultOtherOrderEvent    FaultName = "other_order_event"
	FaultOtherEventType     FaultName = "other_event_type"
	FaultGarbageEvent       FaultName = "garbage_event"
	FaultHugeEvent          FaultName = "huge_event"
	FaultOddFraming         FaultName = "odd_framing"
	FaultUnterminatedEvent  FaultName = "unterminated_event"
	FaultOddEvent           FaultName = "odd_event"
	FaultHistory            FaultName = "history"
	FaultPresentState       FaultName = "present_state"
	FaultCompressedStream   FaultName = "compressed_stream"
	FaultExpiredToken       FaultName = "expired_token"
	FaultOtherHostStreamURL FaultName = "other_host_stream_url"
)

// The faults of the order API and of the terminal.
const (
	FaultLoseCreateAnswer FaultName = "lose_create_answer"
	FaultLoseAnswer       FaultName = "lose_answer"
	FaultFailAPI          FaultName = "fail_api"
	FaultSlowAPI          FaultName = "slow_api"
	FaultRedirect         FaultName = "redirect"
	FaultStaleGet         FaultName = "stale_get"
	FaultErrorsWith200    FaultName = "errors_with_200"
	FaultOddAnswer        FaultName = "odd_answer"
	FaultOddPager         FaultName = "odd_pager"
	FaultAccountTerminals FaultName = "account_terminals"
	FaultRepeatCall       FaultName = "repeat_call"
	FaultHideOrder        FaultName = "hide_order"
	FaultBusyTerminal     FaultName = "busy_terminal"
	FaultOfflineTerminal  FaultName = "offline_terminal"
	FaultPretransaction   FaultName = "pretransaction_webhook"
	FaultEagerTerminal    FaultName = "eager_terminal"
	FaultLateCancel       FaultName = "late_cancel"
	FaultLaterStatus      FaultName = "later_status"
)

// What a fault does when its fields are left out.
const (
	DefaultDelay     = 3 * time.Second
	DefaultEventSize = 1 << 20 // bytes of a huge event
	maxEventSize     = 16 << 20
	maxBodySize      = 64 << 20 // bytes of an endless or huge answer
	maxFaultCount    = 1_000_000
	maxDelay         = 10 * time.Minute
)

// Always is the Count of a fault that stays until it is taken back.
const Always = -1

// Ways to lose an answer: the Mode of lose_answer and lose_create_answer.
const (
	LoseByCut     = "cut"     // the connection is cut (default)
	LoseByBroken  = "broken"  // 200 and half of the JSON
	LoseByEmpty   = "empty"   // 200 and nothing
	LoseByHTML    = "html"    // 200 and a web page
	LoseByHuge    = "huge"    // 200 and Size bytes of JSON, 16 MiB unless told
	LoseByEndless = "endless" // 200 and a body that does not stop before 64 MiB
	LoseByHang    = "hang"    // nothing at all until the client leaves
	LoseByStatus  = "status"  // Status, with Retry-After when given
)

// How the terminals list is paged: the Mode of odd_pager.
const (
	PagerPage   = "page"   // limit, page and total_items (default)
	PagerOffset = "offset" // total, offset and limit
	PagerNone   = "none"   // no pager at all
)

// What a new stream tells of the past: the Mode of history.
const (
	HistoryReplay    = "replay"          // everything, without ids (default)
	HistoryReplayIDs = "replay_with_ids" // everything, with ids; Last-Event-ID is ignored
	HistoryResume    = "resume"          // with ids, what followed Last-Event-ID
	HistoryIDs       = "ids"             // nothing, with ids; Last-Event-ID is ignored
)

// What becomes of a stream that is open when its token expires: the Mode of
// expired_token.
const (
	ExpiryKeeps = "keep" // it stays open (default)
	ExpiryCuts  = "cut"  // it is cut
)

// Shapes of an error: the Mode of fail_api and busy_terminal.
const (
	ShapeUsual      = "usual"      // success, data, error_code and error_info (default)
	ShapeList       = "list"       // the same with an empty list as data
	ShapeMessage    = "message"    // a message alone
	ShapeValidation = "validation" // the errors of a 422, which name the terminal
)

var shapes = []string{ShapeUsual, ShapeList, ShapeMessage, ShapeValidation}

// Fault is something that shall go wrong. The zero values of its fields stand
// for what FaultKinds says.
type Fault struct {
	// ID names the fault in the control API; made up when empty.
	ID   string    `json:"id,omitempty"`
	Name FaultName `json:"fault"`
	// Order, Terminal and Operation narrow it down; empty is any.
	Order     string    `json:"order_id,omitempty"`
	Terminal  string    `json:"terminal_id,omitempty"`
	Operation Operation `json:"operation,omitempty"`
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
	// Mode chooses one of the ways that FaultKinds lists: LoseBy…, Framing…, Shape….
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

// faultFields is a Fault without its methods.
type faultFields Fault

// faultJSON is a Fault as the control API writes it: its own Delay hides the
// embedded one.
type faultJSON struct {
	faultFields
	Delay string `json:"delay,omitempty"` // as time.ParseDuration reads it
}

// MarshalJSON writes the fault as the control API shows it: the delay as text.
func (f Fault) MarshalJSON() ([]byte, error) {
	j := faultJSON{faultFields: faultFields(f)}
	if f.Delay != 0 {
		j.Delay = f.Delay.String()
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON writes and refuses unknown fields.
func (f *Fault) UnmarshalJSON(b []byte) error {
	var j faultJSON
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&j); err != nil {
		return fmt.Errorf("read fault: %w", err)
	}
	*f = Fault(j.faultFields)
	if j.Delay != "" {
		d, err := time.ParseDuration(j.Delay)
		if err != nil {
			return errors.New(`read fault: delay: want a duration like "250ms"`)
		}
		f.Delay = d
	}
	return nil
}
