package processtest

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
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
	built map[string]func() error
}

// Main runs a package's tests and removes the programs that were built for
// them. It is for TestMain.
func Main(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		// Most of the time a test waits: for a lease to end, for a sweep.
		_ = flag.Set(f.Name, strconv.Itoa(3*runtime.GOMAXPROCS(0))) // a number is fine
	}
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
// it. A version that ends in "+" and a replica's name lets the Provider know which
// replica it talks to: the bridge tells it its version.
func Bridge(tb testing.TB, version string) string {
	tb.Helper()
	return binary(tb, "bridge"+version, bridgePackage, "-buildvcs=false", "-ldflags", "-s -w -X main.version="+version)
}

// NATSServer returns the path of nats-server's program.
func NATSServer(tb testing.TB) string {
	tb.Helper()
	return binary(tb, "nats-server", natsServerPackage)
}

// binary builds a program once and returns its path.
func binary(tb testing.TB, name, pkg string, args ...string) string {
	tb.Helper()
	binaries.mu.Lock()
	if binaries.built == nil {
		dir, err := os.MkdirTemp("", "bridge-processtest-")
		if err != nil {
			binaries.mu.Unlock()
			tb.Fatalf("make a folder for programs: %v", err)
		}
		binaries.dir, binaries.built = dir, map[string]func() error{}
	}
	path := filepath.Join(binaries.dir, name)
	build := binaries.built[name]
	if build == nil {
		build = sync.OnceValue(func() error {
			out, err := exec.Command("go", append(append([]string{"build"}, args...), "-o", path, pkg)...).CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w\n%s", err, out)
			}
			return nil
		})
		binaries.built[name] = build
	}
	binaries.mu.Unlock()
	if err := build(); err != nil {
		tb.Fatalf("build %s: %v", name, err)
	}
	return path
}
