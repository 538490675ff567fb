package bridge

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posbridge/bridge/internal/bus"
)

// Writes are said to fail when they have failed for a while, and to work again
// when one has succeeded, or when nobody has written for long.
func TestWrites(t *testing.T) {
	t.Parallel()
	full := errors.New("the disk is full")
	for name, tt := range map[string]struct {
		course func(w *writes)
		told   []string
	}{
		"one failure": {func(w *writes) { w.note(t.Context(), full) }, nil},
		"failures for a while": {func(w *writes) {
			for range 4 {
				w.note(t.Context(), full)
				time.Sleep(time.Second)
			}
		}, []string{"the disk is full"}},
		"a success in between": {func(w *writes) {
			w.note(t.Context(), full)
			time.Sleep(2 * time.Second)
			w.note(t.Context(), bus.ErrConflict)
			time.Sleep(2 * time.Second)
			w.note(t.Context(), full)
		}, nil},
		"failures far apart": {func(w *writes) {
			w.note(t.Context(), full)
			time.Sleep(time.Hour)
			w.note(t.Context(), full)
		}, nil},
		"well again": {func(w *writes) {
			w.note(t.Context(), full)
			time.Sleep(3 * time.Second)
			w.note(t.Context(), full)
			w.note(t.Context(), nil)
		}, []string{"the disk is full", ""}},
		"nobody writes": {func(w *writes) {
			w.note(t.Context(), full)
			time.Sleep(3 * time.Second)
			w.note(t.Context(), full)
			time.Sleep(writesMemory)
			w.lapse()
			time.Sleep(time.Second)
			w.lapse()
		}, []string{"the disk is full", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var told []string
				w := &writes{tell: func(err error) {
					if err == nil {
						told = append(told, "")
						return
					}
					told = append(told, err.Error())
				}}
				tt.course(w)
				if !slices.Equal(told, tt.told) {
					t.Errorf("told %q, want %q", told, tt.told)
				}
			})
		})
	}
}
