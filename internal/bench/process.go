//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a program that runs beside the benchmark. The kernel kills it when
// the benchmark ends.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string        // path of what it wrote
	gone chan struct{} // closed when it has ended
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

// launch starts a program that writes into a file in dir. It inherits the
// environment but for the variables that the bridge reads.
func launch(dir, name string, env []string, path string, args ...string) (*process, error) {
	p := &process{name: name, cmd: exec.Command(path, args...), log: filepath.Join(dir, name+".log"), gone: make(chan struct{})}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer out.Close()
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "BRIDGE_") && !strings.HasPrefix(v, "OTEL_") {
			p.cmd.Env = append(p.cmd.Env, v)
		}
	}
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	launcher() <- func() { started <- p.cmd.Start() }
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait() // it is killed in the end
		close(p.gone)
	}()
	return p, nil
}

// kill ends the process as kill -9 does and waits for its end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.gone
}

// ended returns an error with the last lines of the process once it is gone.
func (p *process) ended() error {
	select {
	case <-p.gone:
		text, _ := os.ReadFile(p.log) // only for the message
		return fmt.Errorf("%s has ended: %s", p.name, text[max(0, len(text)-2000):])
	default:
		return nil
	}
}

// cpu is the processor time that the process has used, in seconds.
func (p *process) cpu() float64 { return cpu(p.cmd.Process.Pid) }

// cpu is the processor time of a process in seconds; 0 when it is gone.
func cpu(pid int) float64 {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := bytes.Cut(stat, []byte(") ")) // behind the name, see proc(5)
	return seconds(strings.Fields(string(rest)), 11, 12)
}

// machine is the processor time that everything on the machine has used.
func machine() float64 {
	stat, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(stat), "\n")
	return seconds(strings.Fields(line), 1, 2, 3, 6, 7, 8) // without idle and iowait
}

// seconds adds some fields up, which are hundredths.
func seconds(fields []string, at ...int) (sum float64) {
	for _, i := range at {
		if i < len(fields) {
			n, _ := strconv.ParseFloat(fields[i], 64)
			sum += n / 100
		}
	}
	return sum
}

// resident is the memory that the process has in use, in KiB.
func (p *process) resident() float64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	value, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, _ := strconv.ParseFloat(value, 64)
	return n
}

// freeAddress is an address on which nobody listens right now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// until waits for something that nobody announces. what names it in the error.
func until(ctx context.Context, limit time.Duration, what string, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for !done() {
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("wait at most %s until %s: %w", limit, what, ctx.Err())
		}
	}
	return nil
}

// pause lets time pass while the programs run.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
