package bridge

import (
	"context"
	"errors"
	"net/http"
	"time"

	"go.uber.org/zap"
)

// serveHTTP serves health, metrics and the console until the daemon stops.
func (d *Daemon) serveHTTP(life *lifecycle) {
	server := &http.Server{
		Handler: d.handler(), ErrorLog: zap.NewStdLog(d.log), MaxHeaderBytes: 16 << 10,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
	}
	if d.console != nil {
		server.RegisterOnShutdown(d.console.Close)
	}
	life.run("HTTP", func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, func() { closeHTTP(server, time.Second) })
		defer stop()
		if err := server.Serve(d.listen); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		<-ctx.Done()
		return nil
	})
}

func closeHTTP(server *http.Server, limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		_ = server.Close() // connections that would not end in time
	}
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
