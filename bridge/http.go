package bridge

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
)

func newServer(handler http.Handler, log *zap.Logger) *http.Server {
	return &http.Server{
		Handler: handler, ErrorLog: zap.NewStdLog(log), MaxHeaderBytes: 16 << 10,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
	}
}

// serveOn answers on a listener until the part is stopped, and then waits for the
// requests at work, at most for limit.
func serveOn(life *lifecycle, name string, listen net.Listener, server *http.Server, limit time.Duration) *part {
	return life.run(name, func(ctx context.Context) error {
		stopped := make(chan struct{})
		context.AfterFunc(ctx, func() {
			defer close(stopped)
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			defer cancel()
			if server.Shutdown(ctx) != nil {
				_ = server.Close() // connections that would not end in time
			}
		})
		if err := server.Serve(listen); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		<-stopped
		return nil
	})
}

// serveHTTP serves health, metrics and the console until the daemon stops.
func (d *Daemon) serveHTTP(life *lifecycle) {
	server := newServer(d.handler(), d.log)
	if d.console != nil {
		server.RegisterOnShutdown(d.console.Close)
	}
	serveOn(life, "HTTP", d.listen, server, time.Second)
}

// handler serves health, metrics and the operator's console.
func (d *Daemon) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"status":"ok"}` + "\n")) // the asker has gone
	})
	mux.Handle("GET /readyz", d.ready)
	mux.Handle("GET /metrics", d.metrics.Handler())
	if d.console != nil {
		mux.Handle("/{$}", d.console)
		mux.Handle("/console/", d.console)
	}
	return mux
}
