package multisafepay

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// envelope is what every answer of the API is wrapped in. Fields of the wrong
// type count as absent: the provider is lenient with types, and so are we.
type envelope struct {
	// ok is false when the body is no JSON object.
	ok bool
	// success is nil when the answer does not say.
	success *bool
	data    json.RawMessage
	code    int
	// info is the explanation, not yet scrubbed.
	info string
	// attributes is true when the answer lists what is wrong attribute by
	// attribute, as a 422 does.
	attributes bool
}

// maxAttributes is how many attributes of a refusal are quoted.
const maxAttributes = 10

// parseEnvelope reads an answer's body, whatever it is.
func parseEnvelope(body []byte) envelope {
	var raw struct {
		Success   json.RawMessage `json:"success"`
		Data      json.RawMessage `json:"data"`
		ErrorCode json.RawMessage `json:"error_code"`
		ErrorInfo json.RawMessage `json:"error_info"`
		Message   json.RawMessage `json:"message"`
		Errors    json.RawMessage `json:"errors"`
	}
	if !decode(body, &raw) {
		return envelope{}
	}
	e := envelope{ok: true, success: boolean(raw.Success), data: raw.Data}
	if code, ok := integer(raw.ErrorCode); ok && code > 0 && code < 1_000_000 {
		e.code = int(code)
	}
	e.info, _ = text(raw.ErrorInfo)
	if e.info == "" {
		e.info, _ = text(raw.Message)
	}
	wrong := attributes(raw.Errors)
	e.attributes = len(wrong) > 0
	for _, a := range wrong[:min(len(wrong), maxAttributes)] {
		e.info = strings.Trim(e.info+"; "+a, "; ")
	}
	return e
}

// attributes returns what a 422 says of each attribute, in the words
// "attribute: message, detail". Entries that are no object are left out.
func attributes(raw json.RawMessage) []string {
	var entries []json.RawMessage
	if json.Unmarshal(raw, &entries) != nil {
		return nil
	}
	var all []string
	for _, entry := range entries {
		var a struct {
			Attribute json.RawMessage `json:"attribute"`
			Details   json.RawMessage `json:"details"`
			Message   json.RawMessage `json:"message"`
		}
		if json.Unmarshal(entry, &a) != nil {
			continue
		}
		var words, details []string
		var list []json.RawMessage
		if json.Unmarshal(a.Details, &list) != nil {
			list = []json.RawMessage{a.Details}
		}
		for _, raw := range list[:min(len(list), maxAttributes)] {
			detail, _ := text(raw)
			details = append(details, detail)
		}
		message, _ := text(a.Message)
		for _, word := range append([]string{message}, details...) {
			if word != "" && !slices.Contains(words, word) {
				words = append(words, word)
			}
		}
		name, _ := text(a.Attribute)
		all = append(all, strings.Trim(name+": "+strings.Join(words, ", "), ": "))
	}
	return all
}

// maxRetryAfter bounds what the provider may ask us to wait.
const maxRetryAfter = time.Hour

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0
	}
	var wait time.Duration
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		if !(seconds > 0) { // neither negative nor NaN
			return 0
		}
		wait = time.Duration(min(seconds, maxRetryAfter.Seconds()) * float64(time.Second))
	} else if date, err := http.ParseTime(value); err == nil {
		wait = date.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
