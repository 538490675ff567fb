//go:build !linux

package processtest

import "testing"

// Disk is a small file system of its own, to be filled. Linux only.
type Disk struct{ Dir string }

// NewDisk leaves the test out.
func NewDisk(tb testing.TB, _ string) *Disk {
	tb.Skip("left out: a file system of a test's own is made on Linux only")
	return nil
}

// Fill leaves no byte free.
func (d *Disk) Fill(testing.TB) {}

// Free takes away what Fill put there.
func (d *Disk) Free(testing.TB) {}
