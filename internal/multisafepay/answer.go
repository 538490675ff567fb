package multisafepay

import "time"

// check makes the error of an answer, nil for a yes.
func (a answer) check(r request) (envelope, *Error) {
	e := parseEnvelope(a.body)
	kind := classify(r.op, a.status, e)
	if kind == 0 {
		return e, nil
	}
	return e, a.failure(r, kind, e)
}

// failure is the error of an answer that was understood to be of a kind.
func (a answer) failure(r request, kind Kind, e envelope) *Error {
	return &Error{
		Op:         r.op,
		Kind:       kind,
		Status:     a.status,
		Code:       e.code,
		Info:       r.hide.Line(e.info, maxInfo),
		RetryAfter: retryAfter(a.header, time.Now()),
		Sent:       true,
	}
}

// unusable is the error of a yes whose data cannot be used.
func (a answer) unusable(r request, kind Kind, err error) *Error {
	e := a.failure(r, kind, envelope{})
	e.Err = err
	return e
}
