package processtest

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Disk is a small file system of its own, to be filled.
type Disk struct {
	// Dir is where it stands.
	Dir    string
	filler string
}

// NewDisk mounts a file system of so many bytes for as long as the test lasts.
// Whoever may not mount leaves the test out.
func NewDisk(tb testing.TB, size string) *Disk {
	tb.Helper()
	d := &Disk{Dir: tb.TempDir()}
	if err := syscall.Mount("tmpfs", d.Dir, "tmpfs", 0, "size="+size); err != nil {
		tb.Skipf("left out, for it takes the right to mount a file system (run as root): %v", err)
	}
	d.filler = filepath.Join(d.Dir, "filler")
	tb.Cleanup(func() {
		if err := syscall.Unmount(d.Dir, syscall.MNT_DETACH); err != nil {
			tb.Errorf("unmount %s: %v", d.Dir, err)
		}
	})
	return d
}

// Fill leaves no byte free.
func (d *Disk) Fill(tb testing.TB) {
	tb.Helper()
	f, err := os.Create(d.filler)
	if err != nil {
		tb.Fatalf("fill the disk: %v", err)
	}
	defer f.Close()
	for _, block := range [][]byte{make([]byte, 64<<10), make([]byte, 1)} {
		for err = nil; err == nil; {
			_, err = f.Write(block)
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		tb.Fatalf("fill the disk: %v", err)
	}
}

// Free takes away what Fill put there.
func (d *Disk) Free(tb testing.TB) {
	tb.Helper()
	if err := os.Remove(d.filler); err != nil {
		tb.Fatalf("free the disk: %v", err)
	}
}
