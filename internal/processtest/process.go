package processtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// shownOutput is how much of a process's output a failed test shows, in bytes.
const shownOutput = 6 << 10

// Process is a running program, or one that has ended. Its methods may be
// called from any goroutine.
type Process struct {
	// Name for messages of the test.
	Name string

	cmd    *exec.Cmd
	output output
	exited chan struct{} // closed once the process is gone and its output is read
	err    error         // of Wait; read after exited
}

// launcher starts every process from one thread that never ends: the kernel
// ties a child's life to the thread that started it.
var launcher = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for start := range work {
			start()
		}
	}()
	return work
})

// Launch starts a program with exactly the environment given. The process is
// killed at the end of the test; if the test failed, the end of its output is
// shown.
func Launch(tb testing.TB, name, path string, args, env []string) *Process {
	tb.Helper()
	p := &Process{Name: name, cmd: exec.Command(path, args...), exited: make(chan struct{})}
	p.output.changed = make(chan struct{})
	p.cmd.Env = env
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.SysProcAttr = attributes()
	started := make(chan error)
	launcher() <- func() { started <- p.cmd.Start() }
	if err := <-started; err != nil {
		tb.Fatalf("start %s: %v", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	tb.Cleanup(func() {
		p.Kill()
		if tb.Failed() {
			all := p.Output()
			p.keep(tb, all)
			tb.Logf("output of %s (%d bytes, its end):\n%s", name, len(all), all[max(0, len(all)-shownOutput):])
		}
	})
	return p
}

// keep writes the whole output of a failed test's process into the folder that
// BRIDGE_OUTPUT_DIR names, if it does.
func (p *Process) keep(tb testing.TB, all string) {
	tb.Helper()
	dir := os.Getenv("BRIDGE_OUTPUT_DIR")
	if dir == "" {
		return
	}
	name := strings.NewReplacer("/", "_", " ", "_").Replace(fmt.Sprintf("%s-%s-%d.log", tb.Name(), p.Name, p.PID()))
	if err := os.WriteFile(filepath.Join(dir, name), []byte(all), 0o600); err != nil {
		tb.Logf("keep output of %s: %v", p.Name, err)
	}
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal. It does nothing to a process that is gone.
func (p *Process) Signal(s syscall.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		panic(fmt.Sprintf("signal %s: %v", p.Name, err)) // a child of ours that lives can be signalled
	}
}

// Kill ends the process as kill -9 does, stopped or not, and waits for it.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.exited
}

// Running tells whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// WaitExit waits for the process to end by itself and returns its exit code; -1
// stands for a signal that ended it.
func (p *Process) WaitExit(tb testing.TB, limit time.Duration) int {
	tb.Helper()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode()
	case <-timer.C:
		tb.Fatalf("%s has not ended after %s", p.Name, limit)
		return 0
	}
}

// Output is what the process has written so far, standard output and standard
// error in one.
func (p *Process) Output() string { return p.output.String() }

// WaitOutput waits until accept finds what it looks for in the output.
func (p *Process) WaitOutput(ctx context.Context, accept func(output string) bool) error {
	for {
		text, changed := p.output.snapshot()
		if accept(text) {
			return nil
		}
		select {
		case <-changed:
		case <-p.exited:
			if accept(p.Output()) {
				return nil
			}
			return fmt.Errorf("wait for output of %s: it has ended: %w", p.Name, errors.Join(p.err, errEnded))
		case <-ctx.Done():
			return fmt.Errorf("wait for output of %s: %w", p.Name, context.Cause(ctx))
		}
	}
}

var errEnded = errors.New("process ended")

// output gathers what a process writes and tells who waits for it.
type output struct {
	mu      sync.Mutex
	buffer  bytes.Buffer
	changed chan struct{} // closed at the next write
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.buffer.Write(b)
}

func (o *output) String() string {
	text, _ := o.snapshot()
	return text
}

func (o *output) snapshot() (text string, changed <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.String(), o.changed
}
