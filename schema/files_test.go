package schema

import (
	"errors"
	"io/fs"
	"slices"
	"testing"
	"testing/fstest"
)

func TestFiles(t *testing.T) {
	t.Parallel()
	want := []string{AsyncAPIFile}
	for _, name := range Names() {
		want = append(want, name+".json")
	}
	if err := fstest.TestFS(Files(), want...); err != nil {
		t.Error(err)
	}
	got, err := fs.Glob(Files(), "*")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestJSONOfUnknownName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "session.json", "../session", "asyncapi", "Session"} {
		if _, err := JSON(name); !errors.Is(err, ErrName) {
			t.Errorf("%q: got %v, want %v", name, err, ErrName)
		}
	}
}
