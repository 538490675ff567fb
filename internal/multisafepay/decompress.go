package multisafepay

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strings"
)

// decompress returns what a body means that somebody on the way has compressed,
// although nobody asked for it. ok is false for an encoding that is not known.
// Nothing is read before the first Read.
func decompress(encoding string, body io.Reader) (plain io.Reader, ok bool) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		return body, true
	case "gzip", "x-gzip":
		return &lateReader{open: func() (io.Reader, error) { return gzip.NewReader(body) }}, true
	case "deflate":
		return &lateReader{open: func() (io.Reader, error) { return inflate(body) }}, true
	}
	return nil, false
}

// inflate reads "deflate", which is zlib's format by the standard and bare in
// the answers of some servers.
func inflate(body io.Reader) (io.Reader, error) {
	buffered := bufio.NewReader(body)
	header, err := buffered.Peek(2)
	if err != nil {
		return nil, err
	}
	if header[0]&0x0f == 8 && (int(header[0])<<8|int(header[1]))%31 == 0 {
		return zlib.NewReader(buffered)
	}
	return flate.NewReader(buffered), nil
}

// lateReader is made at its first Read: making it reads from the body.
type lateReader struct {
	open   func() (io.Reader, error)
	reader io.Reader
}

// Read implements io.Reader.
func (l *lateReader) Read(p []byte) (int, error) {
	if l.reader == nil {
		reader, err := l.open()
		if err != nil {
			return 0, err
		}
		l.reader = reader
	}
	return l.reader.Read(p)
}
