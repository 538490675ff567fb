package multisafepay

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// answer is a complete answer to a request.
type answer struct {
	request
	status int
	header http.Header
	// body is nil when it was longer than maxBody.
	body []byte
	// data is that of a yes.
	data json.RawMessage
}

// check reads the envelope. It makes the error of an answer, nil for a yes.
func (a *answer) check() error {
	e := parseEnvelope(a.body)
	if kind := classify(a.op, a.status, e); kind != 0 {
		return a.failure(kind, e)
	}
	a.data = e.data
	return nil
}

// failure is the error of an answer that was understood to be of a kind.
func (a answer) failure(kind Kind, e envelope) *Error {
	return &Error{
		Op:         a.op,
		Kind:       kind,
		Status:     a.status,
		Code:       e.code,
		Info:       a.hide.Line(e.info, maxInfo),
		RetryAfter: retryAfter(a.header, time.Now()),
		Sent:       true,
	}
}

// unusable is the error of a yes whose data cannot be used.
func (a answer) unusable(kind Kind, err error) *Error {
	e := a.failure(kind, envelope{})
	e.Err = err
	return e
}

// foreign is the error of an answer that is not about the order that was asked for.
func (a answer) foreign(err error) *Error {
	switch {
	case errors.Is(err, errOtherOrder):
		return a.unusable(KindNotFound, err)
	case errors.Is(err, errUnclearOrder):
		return a.unusable(KindNonsense, err)
	}
	return a.unusable(KindLost, err)
}
