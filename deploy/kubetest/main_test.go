package kubetest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/posbridge/bridge/deploy/kubetest/standin"
	"github.com/vishvananda/netlink"
)

var (
	kube     = flag.Bool("kube", false, "install the chart in a control plane; needs root")
	chart    = flag.String("chart", "../helm", "folder of the chart")
	keep     = flag.String("keep", "", "folder for everything that is written; empty: one that is removed")
	binaries string // folder with the programs that are run
	folder   string // folder of this run
	server   *controlPlane
)

// inside is set in the process that has the namespaces.
const inside = "KUBETEST_INSIDE"

func TestMain(m *testing.M) {
	standin.Become()
	flag.Parse()
	if !*kube {
		fmt.Println("kubetest: not run; the flag -kube is not given")
		os.Exit(m.Run())
	}
	run := outside
	if os.Getenv(inside) != "" {
		run = func() (int, error) { return within(m) }
	}
	code, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "kubetest:", err)
		code = 1
	}
	os.Exit(code)
}

// outside builds the programs and runs this test again, in namespaces of its own:
// network, processes and mounts. With the namespace of processes, all that was
// started ends when that process ends.
func outside() (int, error) {
	built, err := build()
	if err != nil {
		return 1, err
	}
	dir := *keep
	if dir == "" {
		if dir, err = os.MkdirTemp("", "kubetest"); err != nil {
			return 1, err
		}
		defer os.RemoveAll(dir)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return 1, err
	}
	if err := buildTrial(filepath.Join(dir, "bin")); err != nil {
		return 1, err
	}
	runtime.LockOSThread() // Pdeathsig is about the thread
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"="+built, "KUBETEST_FOLDER="+dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL,
	}
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// build runs the script that makes the programs or finds them, and returns their folder.
func build() (string, error) {
	cmd := exec.Command("./build")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("build control plane: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// buildTrial compiles what a trial's images hold: the bridge as it is here, and the NATS
// server that the bridge is tested with.
func buildTrial(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, pkg := range map[string]string{"pos-bridge": "./cmd/bridge", "nats-server": "github.com/nats-io/nats-server/v2"} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, name), pkg)
		cmd.Dir = "../.."
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	}
	return nil
}

// within runs the tests in the namespaces that outside made.
func within(m *testing.M) (int, error) {
	binaries, folder = os.Getenv(inside), os.Getenv("KUBETEST_FOLDER")
	if err := enter(); err != nil {
		return 1, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	began := time.Now()
	var err error
	if server, err = startControlPlane(ctx); err != nil {
		return 1, err
	}
	fmt.Printf("kubetest: control plane %s ready after %v\n", server.version, time.Since(began).Round(100*time.Millisecond))
	log, err := os.Create(filepath.Join(folder, "nodes.log"))
	if err != nil {
		return 1, err
	}
	nodes := &standin.Nodes{
		Client: server.client, Dir: folder, Log: log,
		Programs: map[string]string{"bridge": filepath.Join(folder, "bin/pos-bridge"), "nats": filepath.Join(folder, "bin/nats-server")},
		Real:     func(namespace string) bool { return namespace == trialNamespace },
	}
	failed := make(chan error, 1)
	go func() { failed <- nodes.Run(ctx) }()
	if err := server.prepare(ctx); err != nil {
		return 1, err
	}
	code := m.Run()
	cancel()
	return code, errors.Join(<-failed, log.Close())
}

// enter finishes the namespaces: /proc shows their processes, and loopback is up.
func enter() error {
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("part from mounts: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find loopback: %w", err)
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		return fmt.Errorf("raise loopback: %w", err)
	}
	return nil
}

// needs skips a test when the control plane was not asked for.
func needs(t *testing.T) {
	t.Helper()
	if !*kube {
		t.Skip("needs a control plane: -kube")
	}
}
