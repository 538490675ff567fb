package bus_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/natsserver"
)

// lazy is a server that can lose what it has acknowledged, as with a power cut.
type lazy struct {
	*natsserver.Server
	t   *testing.T
	dir string
}

func startLazy(t *testing.T) lazy {
	t.Helper()
	dir := t.TempDir()
	s, err := natsserver.Start(natsserver.Options{Dir: dir, JetStream: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return lazy{s, t, dir}
}

// lose has the server lose what a stream stores while during runs. The server is
// restarted before and after. Before it is back at its address, others may store
// something at another one.
func (l lazy) lose(stream string, during func(), others func(url string)) {
	l.t.Helper()
	l.Shutdown()
	var messages string
	err := filepath.WalkDir(l.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "msgs" && filepath.Base(filepath.Dir(path)) == stream {
			messages = path
		}
		return err
	})
	saved := filepath.Join(l.t.TempDir(), "saved")
	if err == nil {
		err = os.CopyFS(saved, os.DirFS(messages))
	}
	if err == nil {
		err = l.Restart()
	}
	if err != nil {
		l.t.Fatal(err)
	}
	during()
	l.Shutdown()
	err = errors.Join(os.RemoveAll(messages), os.CopyFS(messages, os.DirFS(saved)))
	if err == nil && others != nil {
		var elsewhere *natsserver.Server
		if elsewhere, err = natsserver.Start(natsserver.Options{Dir: l.dir, JetStream: true}); err == nil {
			others(elsewhere.URL())
			elsewhere.Shutdown()
		}
	}
	if err == nil {
		err = l.Restart()
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

// A stream that has lost its last messages uses their sequences again. A watch notices,
// also when the stream is longer than before by then.
func TestWatchNoticesLostMessages(t *testing.T) {
	t.Parallel()
	const lost = 10
	publish := func(t *testing.T, b *bundle, name string, n int) {
		for i := range n {
			appendAnyway(t, b, status(fmt.Sprintf("%s%d", name, i), "initialized", 1), 0)
		}
	}
	for name, others := range map[string]int{"shorter": 0, "longer": 3 * lost} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := startLazy(t)
			b := ready(t, server.URL())
			seen, ended := make(chan bus.Entry, 99), make(chan error, 1)
			go func() {
				ended <- b.Watch(t.Context(), time.Time{}, func(e bus.Entry) { seen <- e }, func(uint64) {})
			}()
			publish(t, b, "kept", 1)
			receive(t, seen)
			server.lose("POS_STATUS", func() {
				until(t, b.Connected)
				publish(t, b, "lost", lost)
				for range lost {
					receive(t, seen)
				}
			}, func(url string) { publish(t, setup(t, url), "other", others) })
			if err := receive(t, ended); !errors.Is(err, bus.ErrLost) {
				t.Errorf("got %v, want %v", err, bus.ErrLost)
			}
		})
	}
}
