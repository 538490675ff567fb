package standin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/client-go/util/cert"
)

// logPort is where the API server asks for the logs of containers.
const logPort = 10250

// serveLogs answers the one question to a kubelet that tests ask: for the log
// of a pod. It ends with ctx.
func (n *Nodes) serveLogs(ctx context.Context) error {
	certificate, key, err := cert.GenerateSelfSignedCertKey(gateway.Addr().String(), nil, nil)
	if err != nil {
		return fmt.Errorf("make certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return fmt.Errorf("read certificate: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, n.logFile(r.PathValue("namespace"), r.PathValue("pod")))
	})
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", net.JoinHostPort(gateway.Addr().String(), strconv.Itoa(logPort)))
	if err != nil {
		return fmt.Errorf("listen for questions: %w", err)
	}
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
	}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() {
		if err := server.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
			n.log.Print(err)
		}
	}()
	return nil
}

// logFile is where the output of a pod's program goes.
func (n *Nodes) logFile(namespace, pod string) string {
	return filepath.Join(n.Dir, "logs", namespace+"."+pod+".log")
}

// openLog returns that file, to write to.
func (n *Nodes) openLog(namespace, pod string) (*os.File, error) {
	file := n.logFile(namespace, pod)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, fmt.Errorf("make folder for logs: %w", err)
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return f, nil
}

// beginLog makes the log of a pod, so that there is one to ask for.
func (n *Nodes) beginLog(p *core.Pod) error {
	f, err := n.openLog(p.Namespace, p.Name)
	if err != nil {
		return err
	}
	if n.program(p) == "" {
		if _, err := fmt.Fprintln(f, "A stand-in node says that this pod runs."); err != nil {
			return fmt.Errorf("write log: %w", err)
		}
	}
	return f.Close()
}
