package fault

import (
	"maps"
	"slices"

	"github.com/posbridge/bridge/internal/simulator/calls"
)

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

var loseModes = []string{
	LoseByCut, LoseByBroken, LoseByEmpty, LoseByHTML, LoseByHuge, LoseByEndless, LoseByHang, LoseByStatus,
}

// Ways to write an event stream that are all within the standard, and all
// unlike the provider's: the Mode of odd_framing.
const (
	FramingCR        = "cr"        // lines end with CR
	FramingCRLF      = "crlf"      // lines end with CR LF
	FramingBOM       = "bom"       // a byte order mark comes first
	FramingComments  = "comments"  // a comment in every event; heartbeats without a blank line
	FramingID        = "id"        // an id in every event
	FramingRetry     = "retry"     // a retry field in every event
	FramingMultiline = "multiline" // the data in two data lines
	FramingNoSpace   = "nospace"   // no blank after the colon
	FramingDribble   = "dribble"   // one byte at a time
	FramingMixed     = "mixed"     // BOM, CR LF, comments, id and retry together (default)
)

// framings lists every mode of odd_framing.
var framings = []string{
	FramingMixed, FramingCR, FramingCRLF, FramingBOM, FramingComments, FramingID,
	FramingRetry, FramingMultiline, FramingNoSpace, FramingDribble,
}

// eventModes are the ways of odd_event to tell a status change.
var eventModes = []string{"array", "channel", "envelope", "message", "order_updated", "ping", "unnamed"}

// OddPatch puts the fault's data over the answer, as RFC 7386 says.
const OddPatch = "patch"

// answerModes are the ways of odd_answer to write an answer, and the operation that
// each is for; empty is any.
var answerModes = map[string]calls.Operation{
	"no_success":        "",
	"success_1":         "",
	"success_text":      "",
	"no_order_id":       "",
	OddPatch:            "",
	"old_names":         calls.OpCreate,
	"event_url":         calls.OpCreate,
	"no_token":          calls.OpCreate,
	"other_order":       calls.OpGet,
	"tip":               calls.OpGet,
	"partial_approval":  calls.OpGet,
	"terminal_spelling": calls.OpGet,
	"text_numbers":      calls.OpGet,
	"number_texts":      calls.OpGet,
	"empty_details":     calls.OpGet,
	"no_details":        calls.OpGet,
	"time_zone":         calls.OpGet,
	"void":              calls.OpCancel,
	"group_id_text":     calls.OpTerminals,
	"group_id_mixed":    calls.OpTerminals,
}

func oddModes() []string { return slices.Sorted(maps.Keys(answerModes)) }
