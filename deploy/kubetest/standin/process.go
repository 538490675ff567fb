package standin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	core "k8s.io/api/core/v1"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"
)

// podProcess is the first argument of the process that becomes a pod's program.
const podProcess = "standin-pod"

// process is the program of a pod.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

func (p *process) over() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// code is the exit code of a process that is over.
func (p *process) code() int {
	if c := p.cmd.ProcessState.ExitCode(); c >= 0 {
		return c
	}
	return 137 // ended by a signal
}

func (p *process) terminate() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
func (p *process) kill() error      { return p.cmd.Process.Kill() }

// become is what the process of a pod turns into.
type become struct {
	Root      string
	User      int
	Group     int
	Arguments []string
	Env       []string
}

// machine is what processes of pods are made with.
type machine struct {
	sources sources
	network *network
	logs    logs
}

// start runs a pod's program in a root folder and a network of its own, with the names
// of Services in its hosts file.
func (m machine) start(ctx context.Context, p *core.Pod, r root, address netip.Addr, program, names string) (*process, error) {
	c := &p.Spec.Containers[0]
	b := become{Root: string(r), Arguments: []string{"/" + filepath.Base(program)}}
	if s := p.Spec.SecurityContext; s != nil && s.RunAsUser != nil && s.RunAsGroup != nil {
		b.User, b.Group = int(*s.RunAsUser), int(*s.RunAsGroup)
	}
	if err := r.lay(ctx, m.sources, p, program, names, b.Group); err != nil {
		return nil, err
	}
	env, err := m.sources.environment(ctx, p, c)
	if err != nil {
		return nil, err
	}
	known := expansion.MappingFuncFor(env.values)
	for _, a := range c.Args {
		b.Arguments = append(b.Arguments, expansion.Expand(a, known))
	}
	for _, name := range env.names {
		b.Env = append(b.Env, name+"="+env.values[name])
	}
	text, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("encode process: %w", err)
	}
	wait, begin, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	defer wait.Close()  //nolint:errcheck // the child has it
	defer begin.Close() //nolint:errcheck // it says "begin" by closing
	out, err := m.logs.open(p.Namespace, p.Name)
	if err != nil {
		return nil, err
	}
	defer out.Close()                     //nolint:errcheck // the child has it
	cmd := exec.Command("/proc/self/exe") //nolint:noctx // it ends as its pod does
	cmd.Args = []string{podProcess, string(text)}
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = out, out, []*os.File{wait}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start program: %w", err)
	}
	started := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(started.ended)
	}()
	if err := m.network.plug(cmd.Process.Pid, address); err != nil {
		_ = started.kill()
		return nil, err
	}
	return started, nil
}

// Become turns this process into the program of a pod, if it was started to be
// one. Call it first of all.
func Become() {
	if len(os.Args) != 2 || os.Args[0] != podProcess {
		return
	}
	fmt.Fprintln(os.Stderr, "become a pod:", turn(os.Args[1]))
	os.Exit(127)
}

// turn does it; it returns only an error.
func turn(text string) error {
	var b become
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		return err
	}
	// The network is there when the other end of the pipe is closed.
	if _, err := os.NewFile(3, "begin").Read(make([]byte, 1)); err == nil {
		return fmt.Errorf("unexpected words")
	}
	if err := syscall.Chroot(b.Root); err != nil {
		return fmt.Errorf("change root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := syscall.Setgroups([]int{b.Group}); err != nil {
		return fmt.Errorf("set groups: %w", err)
	}
	if err := syscall.Setgid(b.Group); err != nil {
		return fmt.Errorf("set group: %w", err)
	}
	if err := syscall.Setuid(b.User); err != nil {
		return fmt.Errorf("set user: %w", err)
	}
	return syscall.Exec(b.Arguments[0], b.Arguments, b.Env)
}
