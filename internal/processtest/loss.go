package processtest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Lose has a server lose what a stream stores while during runs, as a power cut does
// that comes before the disk was synced. The server is killed before and after.
func (n *NATS) Lose(tb testing.TB, during func(), streams ...string) {
	tb.Helper()
	n.Kill()
	folders, saved := map[string]string{}, tb.TempDir()
	err := filepath.WalkDir(n.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || d.Name() != "msgs" {
			return err
		}
		for _, stream := range streams {
			if filepath.Base(filepath.Dir(path)) == stream {
				folders[stream] = path
				return os.CopyFS(filepath.Join(saved, stream), os.DirFS(path))
			}
		}
		return nil
	})
	if err != nil || len(folders) != len(streams) {
		tb.Fatalf("keep %v: found %v, %v", streams, folders, err)
	}
	n.Restart(tb)
	during()
	n.Kill()
	for stream, folder := range folders {
		if err := errors.Join(os.RemoveAll(folder), os.CopyFS(folder, os.DirFS(filepath.Join(saved, stream)))); err != nil {
			tb.Fatalf("put %s back: %v", stream, err)
		}
	}
	n.Restart(tb)
}
