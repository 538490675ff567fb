package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/wire"
)

// logPage is how many entries of the journal one answer has.
const logPage = 500

// Errors of the control API alone.
var (
	errNoFault   = errors.New("no fault with this id is set")
	errNotWithin = errors.New("not within")
)

// created is a result that is answered with 201.
type created struct{ v any }

// answered serves what f returns as JSON; nil is answered with 204. f reads its
// body with readJSON.
func answered(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := wire.ReadBody(w, r)
		if err != nil {
			complain(w, http.StatusBadRequest, err)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		v, err := f(r)
		if err != nil {
			complain(w, statusOf(err), err)
			return
		}
		switch made, isMade := v.(created); {
		case isMade:
			reply(w, http.StatusCreated, made.v)
		case v == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			reply(w, http.StatusOK, v)
		}
	}
}

// statusOf is the HTTP status that goes with an error.
func statusOf(err error) int {
	for status, kinds := range map[int][]error{
		http.StatusNotFound:           {orders.ErrUnknownTerminal, orders.ErrUnknownOrder, orders.ErrUnknownAction, errNoFault},
		http.StatusConflict:           {orders.ErrNoPayment, orders.ErrOrderFull},
		http.StatusServiceUnavailable: {orders.ErrClosed},
		http.StatusGatewayTimeout:     {errNotWithin},
	} {
		for _, kind := range kinds {
			if errors.Is(err, kind) {
				return status
			}
		}
	}
	return http.StatusBadRequest
}

// readJSON reads a small request body, strictly. An empty one is the zero value.
func readJSON[T any](r *http.Request) (v T, err error) {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&v); err != nil && !errors.Is(err, io.EOF) {
		return v, fmt.Errorf("read body: %w", err)
	}
	return v, nil
}

// reply answers with JSON for people to read as well.
func reply(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil { // plain values
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(b.Bytes()) //nolint:errcheck // the client is gone: nobody is left to be told
}

// complain answers with an error of the control API.
func complain(w http.ResponseWriter, status int, err error) {
	reply(w, status, map[string]string{"error": err.Error()})
}

// parseSeq reads the seq of an entry; empty is before the first.
func parseSeq(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, errors.New("since must be the seq of an entry")
	}
	return n, nil
}
