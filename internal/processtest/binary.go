package processtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// The programs that tests run, as go build knows them. nats-server is the very
// version that the module depends on.
const (
	bridgePackage     = "github.com/posbridge/bridge/cmd/bridge"
	natsServerPackage = "github.com/nats-io/nats-server/v2"
)

// binaries builds each program at most once per test run.
var binaries struct {
	mu    sync.Mutex
	dir   string
	built map[string]func() (string, error)
}

// Main runs a package's tests and removes the programs that were built for
// them. It is for TestMain.
func Main(m *testing.M) {
	code := m.Run()
	binaries.mu.Lock()
	dir := binaries.dir
	binaries.mu.Unlock()
	if dir != "" {
		_ = os.RemoveAll(dir) // what is left is in the system's temporary folder
	}
	os.Exit(code)
}

// Bridge returns the path of the bridge's program, with a version stamped into
// it; an empty version is what the sources say. A version that ends in "+" and a
// replica's name lets the Provider know who is shown what: the bridge tells it
// its version.
func Bridge(tb testing.TB, version string) string {
	tb.Helper()
	return bridge(tb, "", version)
}

// bridge builds the sources in a folder, "" for those that are tested.
func bridge(tb testing.TB, sources, version string) string {
	tb.Helper()
	args := []string{"-buildvcs=false"}
	if sources != "" {
		args = append([]string{"-C", sources}, args...)
	}
	if raceEnabled {
		args = append(args, "-race")
	}
	if version != "" {
		args = append(args, "-ldflags", "-X main.version="+version)
	}
	return binary(tb, "bridge"+version, bridgePackage, args...)
}

// NATSServer returns the path of nats-server's program.
func NATSServer(tb testing.TB) string {
	tb.Helper()
	return binary(tb, "nats-server", natsServerPackage)
}

func binary(tb testing.TB, name, pkg string, args ...string) string {
	tb.Helper()
	path, err := makeOnce(name, func(path string) error {
		return run("go", append(append([]string{"build"}, args...), "-o", path, pkg)...)
	})
	if err != nil {
		tb.Fatalf("build %s: %v", name, err)
	}
	return path
}

// makeOnce has something made under a name in the folder of what was built, once,
// and returns its path.
func makeOnce(name string, create func(path string) error) (string, error) {
	binaries.mu.Lock()
	if binaries.built == nil {
		dir, err := os.MkdirTemp("", "bridge-processtest-")
		if err != nil {
			binaries.mu.Unlock()
			return "", err
		}
		binaries.dir, binaries.built = dir, map[string]func() (string, error){}
	}
	build := binaries.built[name]
	if build == nil {
		path := filepath.Join(binaries.dir, name)
		build = sync.OnceValues(func() (string, error) { return path, create(path) })
		binaries.built[name] = build
	}
	binaries.mu.Unlock()
	return build()
}

// run runs a program; its error tells what it said.
func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}
