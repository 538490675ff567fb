package bridgetest

import (
	"context"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// Wire is a TCP connection between a client and a NATS server that can be cut.
type Wire struct {
	listener net.Listener
	target   string
	tasks    sync.WaitGroup

	mu    sync.Mutex
	cut   bool
	fuse  bool // the next bytes from the client end every connection
	conns map[net.Conn]struct{}
}

// RunWire leads to the server at target, a NATS URL, until the test ends.
func RunWire(t testing.TB, target string) *Wire {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatalf("lay wire: %v", err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("lay wire: %v", err)
	}
	w := &Wire{listener: listener, target: u.Host, conns: map[net.Conn]struct{}{}}
	// Not the test's context: it ends before the clean-up that closes the wire.
	ctx, cancel := context.WithCancel(context.Background())
	w.tasks.Go(func() { w.accept(ctx) })
	t.Cleanup(func() {
		cancel()
		_ = listener.Close()
		w.Cut()
		w.tasks.Wait()
	})
	return w
}

// URL is where the client connects.
func (w *Wire) URL() string { return "nats://" + w.listener.Addr().String() }

// Cut ends every connection and lets no new one through until Mend.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
	w.closeAll()
}

// CutOnce ends every connection with the next bytes that a client sends, which get
// lost. New connections go through.
func (w *Wire) CutOnce() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fuse = true
}

// blown reports whether bytes that a client sent have ended every connection.
func (w *Wire) blown() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.fuse {
		return false
	}
	w.fuse = false
	w.closeAll()
	return true
}

// closeAll needs the mutex.
func (w *Wire) closeAll() {
	for conn := range w.conns {
		_ = conn.Close()
	}
}

// Mend lets connections through again.
func (w *Wire) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = false
}

func (w *Wire) accept(ctx context.Context) {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		far, err := new(net.Dialer).DialContext(ctx, "tcp", w.target)
		if err != nil {
			_ = near.Close()
			continue
		}
		if !w.keep(near, far) {
			_ = near.Close()
			_ = far.Close()
			continue
		}
		w.tasks.Go(func() { w.forward(client{near, w}, far) })
		w.tasks.Go(func() { w.forward(far, near) })
	}
}

// client is the end of a wire at the client.
type client struct {
	net.Conn
	wire *Wire
}

// Read implements io.Reader.
func (c client) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && c.wire.blown() {
		return 0, net.ErrClosed
	}
	return n, err
}

// keep notes both ends, unless the wire is cut.
func (w *Wire) keep(near, far net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return false
	}
	w.conns[near], w.conns[far] = struct{}{}, struct{}{}
	return true
}

func (w *Wire) forward(from, to net.Conn) {
	_, _ = io.Copy(to, from) // ends when either end is closed
	_ = from.Close()
	_ = to.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	if c, ok := from.(client); ok {
		from = c.Conn
	}
	delete(w.conns, from)
}
