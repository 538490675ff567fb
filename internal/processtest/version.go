package processtest

import (
	"archive/zip"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// formerCommit is what the tests take for the version before: a program of its
// own, from before statuses told the claim that they were published under. It is
// to be replaced by each release.
const formerCommit = "b34c3830073d5fba99bf1ccdc7b185deb90a2847"

// Version is a version of the bridge's program, that replicas can be of.
type Version struct {
	// Name that it believes to have, such as "1.2.3".
	Name string
	// sources is the folder that it is built from, empty for those that are tested.
	sources string
}

// Present is the version that is tested.
var Present = Version{Name: "0.0.0"}

// Former returns the version before: formerCommit, or the commit that
// BRIDGE_FORMER names, out of the repository's history. Where there is no
// history (a shallow clone, an unpacked archive) it says so, and is the present
// program under another name.
func Former(tb testing.TB) Version {
	tb.Helper()
	commit, wanted := os.LookupEnv("BRIDGE_FORMER")
	if !wanted {
		commit = formerCommit
	}
	sources, err := makeOnce("sources-"+commit, func(dir string) error { return checkOut(commit, dir) })
	switch {
	case err == nil:
		tb.Logf("the version before is commit %s", commit)
		return Version{Name: "0.0.0-before", sources: sources}
	case wanted:
		tb.Fatalf("BRIDGE_FORMER: %v", err)
	}
	tb.Logf("THERE IS NO VERSION BEFORE: the present program stands for it, under another name. It wants the repository's history: %v", err)
	return Version{Name: "0.0.0-before"}
}

// checkOut puts the sources of a commit into a new folder.
func checkOut(commit, dir string) error {
	archive := dir + ".zip"
	if err := run("git", "-C", filepath.Join("..", ".."), "archive", "--output", archive, commit); err != nil {
		return err
	}
	defer os.Remove(archive) //nolint:errcheck // it lies in a temporary folder
	files, err := zip.OpenReader(archive)
	if err != nil {
		return fmt.Errorf("read archive: %w", err)
	}
	defer files.Close()
	return os.CopyFS(dir, files)
}
