package wire

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Bounds of reading and writing.
const (
	maxBody            = 1 << 20 // bytes of a request
	bodyTimeout        = 30 * time.Second
	streamWriteTimeout = 10 * time.Second
)

// ReadBody reads a request's body, within limits of size and time. The time
// limit is lifted again: it would end a long answer as well.
func ReadBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	control := http.NewResponseController(w)
	setLimit := func(t time.Time) error {
		if err := control.SetReadDeadline(t); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return fmt.Errorf("limit reading of the body: %w", err)
		}
		return nil
	}
	if err := setLimit(time.Now().Add(bodyTimeout)); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	return body, setLimit(time.Time{})
}

// Compressed is sender through gzip.
func Compressed(w http.ResponseWriter) func([]byte) bool {
	send := Sender(w)
	packed := gzip.NewWriter(w)
	return func(b []byte) bool {
		if _, err := packed.Write(b); err != nil {
			return false
		}
		return packed.Flush() == nil && send(nil)
	}
}

// Sender returns a function that writes to w at once, and says whether the
// client took it in time.
func Sender(w http.ResponseWriter) func([]byte) bool {
	control := http.NewResponseController(w)
	return func(b []byte) bool {
		// Not every ResponseWriter knows deadlines; a recorder's never blocks.
		if err := control.SetWriteDeadline(time.Now().Add(streamWriteTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return false
		}
		if _, err := w.Write(b); err != nil {
			return false
		}
		return control.Flush() == nil
	}
}
