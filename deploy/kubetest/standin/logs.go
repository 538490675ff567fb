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

	"k8s.io/client-go/util/cert"
)

// logPort is where the API server asks for the logs of containers.
const logPort = 10250

// logs are the outputs of the pods' programs.
type logs struct{ dir string }

// serve answers the one question to a kubelet that tests ask: for the log of a
// pod. It ends with ctx. The channel gets the error that ends it before.
func (l logs) serve(ctx context.Context, ended chan<- error) error {
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
		http.ServeFile(w, r, l.file(r.PathValue("namespace"), r.PathValue("pod")))
	})
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", net.JoinHostPort(gateway.Addr().String(), strconv.Itoa(logPort)))
	if err != nil {
		return fmt.Errorf("listen for questions: %w", err)
	}
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
	}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() {
		if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			ended <- fmt.Errorf("serve logs: %w", err)
		}
	}()
	return nil
}

// file is where the output of a pod's program goes.
func (l logs) file(namespace, pod string) string {
	return filepath.Join(l.dir, namespace+"."+pod+".log")
}

// open returns that file, to write to.
func (l logs) open(namespace, pod string) (*os.File, error) {
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make folder for logs: %w", err)
	}
	f, err := os.OpenFile(l.file(namespace, pod), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return f, nil
}

// write adds a line.
func (l logs) write(namespace, pod, line string) error {
	f, err := l.open(namespace, pod)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(f, line); err != nil {
		_ = f.Close()
		return fmt.Errorf("write log: %w", err)
	}
	return f.Close()
}
