// Package replay runs a Go test in a machine in which a seed decides everything,
// so that the same seed takes the very same course again.
//
// A program's course hangs on more than its code: which goroutine runs next, which
// case of a select is taken, how a map is walked, when memory is collected. Go
// leaves all of that to threads, to the time and to random bytes. Compiled for WASI
// there is one thread, and random bytes and time are what the machine gives: here
// bytes drawn from the seed, and a clock that moves on each time it is read.
//
// What needs threads (a race) or the network is not seen there. Tests run as well
// as usual, but for one or two things: no sockets, no other processes.
package replay

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

// Machine holds the compiled tests of one package. It may be used by several
// goroutines at once.
type Machine struct {
	runtime wazero.Runtime
	tests   wazero.CompiledModule
}

// Compile compiles the tests of the package in a folder. It takes half a minute the
// first time and fifteen seconds later on. Close the machine after use.
func Compile(ctx context.Context, folder string) (*Machine, error) {
	scratch, err := os.MkdirTemp("", "replay")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }() // what is left is the system's to clean up
	binary := filepath.Join(scratch, "tests.wasm")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-trimpath", "-ldflags=-s -w", "-o", binary, ".") //nolint:gosec // our own tests
	build.Dir = folder
	// The flags of the outer test (the race detector's, say) are not for this one.
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compile the tests for WASI: %w\n%s", err, out)
	}
	code, err := os.ReadFile(binary)
	if err != nil {
		return nil, fmt.Errorf("read the tests: %w", err)
	}
	ctx = experimental.WithCompilationWorkers(ctx, runtime.GOMAXPROCS(0))
	m := &Machine{runtime: wazero.NewRuntime(ctx)}
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, m.runtime); err != nil {
		return nil, errors.Join(fmt.Errorf("offer WASI: %w", err), m.Close(ctx))
	}
	if m.tests, err = m.runtime.CompileModule(ctx, code); err != nil {
		return nil, errors.Join(fmt.Errorf("load the tests: %w", err), m.Close(ctx))
	}
	return m, nil
}

// Run runs the tests with these arguments, in a process of their own, and returns
// all that they printed. The error says that they did not pass.
func (m *Machine) Run(ctx context.Context, seed uint64, arguments ...string) (string, error) {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	var output bytes.Buffer
	process := wazero.NewModuleConfig().
		WithName(""). // many at once
		WithArgs(append([]string{"replay.test"}, arguments...)...).
		WithRandSource(rand.NewChaCha8(key)).
		WithStdout(&output).WithStderr(&output)
	module, err := m.runtime.InstantiateModule(ctx, m.tests, process)
	if module != nil {
		err = errors.Join(err, module.Close(ctx))
	}
	if exit := (*sys.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 0 {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("run %s: %w", strings.Join(arguments, " "), err)
	}
	return output.String(), err
}

// Close lets go of the machine's memory.
func (m *Machine) Close(ctx context.Context) error { return m.runtime.Close(ctx) }
