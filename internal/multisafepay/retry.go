package multisafepay

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// maxRetryLine is the longest line that is looked at for advice, in bytes.
const maxRetryLine = 24

// retryAdvice finds "retry:" lines in a stream, across reads. The zero value is
// ready for use.
type retryAdvice struct {
	// line is what there is of the present line, at most maxRetryLine+1 bytes.
	line []byte
}

// read takes the next part of the stream and returns the last advice in it.
func (r *retryAdvice) read(p []byte) (wait time.Duration, ok bool) {
	for len(p) > 0 {
		end := bytes.IndexAny(p, "\r\n")
		part := p
		if end >= 0 {
			part = p[:end]
		}
		if room := maxRetryLine + 1 - len(r.line); room > 0 {
			r.line = append(r.line, part[:min(len(part), room)]...)
		}
		if end < 0 {
			break
		}
		if advice, good := parseRetry(string(r.line)); good {
			wait, ok = advice, true
		}
		r.line = r.line[:0]
		p = p[end+1:]
	}
	return wait, ok
}

// parseRetry reads a line "retry: milliseconds"; the advice is at most maxRetryAfter.
func parseRetry(line string) (time.Duration, bool) {
	digits, ok := strings.CutPrefix(line, "retry:")
	if !ok || len(line) > maxRetryLine {
		return 0, false
	}
	digits = strings.TrimPrefix(digits, " ")
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || strings.HasPrefix(digits, "+") {
		return 0, false
	}
	return time.Duration(min(n, uint64(maxRetryAfter/time.Millisecond))) * time.Millisecond, true
}
