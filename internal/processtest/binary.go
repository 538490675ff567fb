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
	args := []string{"-buildvcs=false"}
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
	path, err := buildOnce(name, pkg, args)()
	if err != nil {
		tb.Fatalf("build %s: %v", name, err)
	}
	return path
}

func buildOnce(name, pkg string, args []string) func() (string, error) {
	binaries.mu.Lock()
	defer binaries.mu.Unlock()
	if build := binaries.built[name]; build != nil {
		return build
	}
	if binaries.built == nil {
		binaries.built = map[string]func() (string, error){}
		var err error
		if binaries.dir, err = os.MkdirTemp("", "bridge-processtest-"); err != nil {
			return func() (string, error) { return "", err }
		}
	}
	path := filepath.Join(binaries.dir, name)
	build := sync.OnceValues(func() (string, error) {
		out, err := exec.Command("go", append(append([]string{"build", "-o", path}, args...), pkg)...).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("go build: %w\n%s", err, out)
		}
		return path, nil
	})
	binaries.built[name] = build
	return build
}
