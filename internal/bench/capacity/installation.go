//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// readyLimit bounds how long a program may take to serve.
const readyLimit = 10 * time.Minute

// installation is some servers of NATS in a folder of their own, and what else runs.
type installation struct {
	dir      string
	urls     string
	configs  []string
	servers  []*exec.Cmd
	others   []*exec.Cmd
	conn     *nats.Conn
	js       jetstream.JetStream
	replicas int
}

// install builds nats-server and starts so many of them.
func install(ctx context.Context, servers int, always bool) (*installation, error) {
	dir, err := os.MkdirTemp("", "bridge-capacity-")
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	i := &installation{dir: dir, replicas: servers}
	if err := i.configure(servers, always); err != nil {
		return nil, errors.Join(err, i.close())
	}
	if err := i.build(ctx, "nats-server", "github.com/nats-io/nats-server/v2"); err != nil {
		return nil, errors.Join(err, i.close())
	}
	if err := i.start(ctx); err != nil {
		return nil, errors.Join(err, i.close())
	}
	return i, nil
}

// build builds a program into the folder.
func (i *installation) build(ctx context.Context, name, pkg string) error {
	out, err := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", filepath.Join(i.dir, name), pkg).CombinedOutput()
	if err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// configure writes a configuration file for each server.
func (i *installation) configure(servers int, always bool) error {
	var urls, ports, routes []string
	for range 2 * servers {
		port, err := freePort()
		if err != nil {
			return err
		}
		ports = append(ports, strconv.Itoa(port))
	}
	for n := range servers {
		routes = append(routes, `"nats://127.0.0.1:`+ports[2*n+1]+`"`)
	}
	for n := range servers {
		interval := ""
		if always {
			interval = ", sync_interval: always"
		}
		text := fmt.Sprintf("server_name: n%d\nlisten: \"127.0.0.1:%s\"\njetstream { store_dir: %q, max_file_store: 100GB%s }\n",
			n+1, ports[2*n], filepath.Join(i.dir, "n"+strconv.Itoa(n+1)), interval)
		if servers > 1 {
			text += fmt.Sprintf("cluster { name: c, listen: \"127.0.0.1:%s\", routes: [%s] }\n", ports[2*n+1], strings.Join(routes, ", "))
		}
		path := filepath.Join(i.dir, fmt.Sprintf("n%d.conf", n+1))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return fmt.Errorf("configure: %w", err)
		}
		i.configs = append(i.configs, path)
		urls = append(urls, "nats://127.0.0.1:"+ports[2*n])
	}
	i.urls = strings.Join(urls, ",")
	return nil
}

// start starts all servers and waits until JetStream serves.
func (i *installation) start(ctx context.Context) error {
	for _, config := range i.configs {
		server, err := i.launch("nats-server", nil, "-c", config)
		if err != nil {
			return err
		}
		i.servers = append(i.servers, server)
	}
	return until(ctx, "JetStream serves", func() bool {
		if i.conn == nil {
			conn, err := nats.Connect(i.urls, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
			if err != nil {
				return false
			}
			i.conn = conn
			i.js, _ = jetstream.New(conn) // fails on wrong options only
		}
		asked, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := i.js.AccountInfo(asked)
		return err == nil
	})
}

// launch starts a program of the folder. It ends with this process.
func (i *installation) launch(name string, env []string, args ...string) (*exec.Cmd, error) {
	c := exec.Command(filepath.Join(i.dir, name), args...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "BRIDGE_") && !strings.HasPrefix(v, "OTEL_") {
			c.Env = append(c.Env, v)
		}
	}
	c.Env = append(c.Env, env...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return c, nil
}

// serve starts a replica of the bridge and waits until it is ready.
func (i *installation) serve(ctx context.Context, env ...string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	address := "127.0.0.1:" + strconv.Itoa(port)
	c, err := i.launch("bridge", append(env, "BRIDGE_NATS_URL="+i.urls, "BRIDGE_HTTP_ADDR="+address, "BRIDGE_LOG_LEVEL=error"), "serve")
	if err != nil {
		return err
	}
	i.others = append(i.others, c)
	return until(ctx, "the bridge is ready", func() bool {
		asked, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(asked, http.MethodGet, "http://"+address+"/readyz", http.NoBody)
		if err != nil {
			return false
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return false
		}
		_ = answer.Body.Close() // nothing of it was read
		return answer.StatusCode == http.StatusOK
	})
}

// end kills processes and waits for their end.
func end(processes []*exec.Cmd) {
	for _, p := range processes {
		_ = p.Process.Kill() // it may have ended
		_ = p.Wait()
	}
}

// close ends everything and removes what was stored.
func (i *installation) close() error {
	if i.conn != nil {
		i.conn.Close()
	}
	end(i.others)
	end(i.servers)
	return os.RemoveAll(i.dir)
}

// cpu is the processor time that processes have used.
func cpu(processes []*exec.Cmd) (seconds float64) {
	for _, s := range processes {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.Process.Pid)) // 0 when it has ended
		_, rest, _ := bytes.Cut(stat, []byte(") "))
		if fields := strings.Fields(string(rest)); len(fields) > 12 {
			user, _ := strconv.ParseFloat(fields[11], 64)
			system, _ := strconv.ParseFloat(fields[12], 64)
			seconds += (user + system) / 100
		}
	}
	return seconds
}

// natsMemory is the memory of the servers.
func (i *installation) natsMemory() (mib float64) {
	for _, s := range i.servers {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Process.Pid)) // 0 when it has ended
		_, rest, _ := strings.Cut(string(status), "VmRSS:")
		value, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		kib, _ := strconv.ParseFloat(value, 64)
		mib += kib / 1024
	}
	return mib
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close() //nolint:errcheck // nobody has connected
	return l.Addr().(*net.TCPAddr).Port, nil
}

// until waits for something that nobody announces.
func until(ctx context.Context, what string, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !done() {
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, ctx.Err())
		}
	}
	return nil
}
