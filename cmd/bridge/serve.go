package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/internal/telemetry/tracing"
)

// tracesLimit is how long the last spans may take at the end.
const tracesLimit = 2 * time.Second

func newServe() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run one replica of the daemon, configured by BRIDGE_… variables",
		Long: `Run one replica of the daemon, configured by variables of the environment.

Exit codes: 0 after a drain on SIGTERM or SIGINT (a second signal cuts the drain
short), 1 after a failure at run time, 78 if the configuration cannot be used.

Variables, with their defaults in brackets:
` + bridge.Help(),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			stopping, cut, done := signals(cmd.Context())
			defer done()
			return serve(stopping, cut, cmd.ErrOrStderr())
		},
	}
}

// signals returns a context that ends with the first SIGTERM or SIGINT, and one
// that ends with the second.
func signals(parent context.Context) (first, second context.Context, done func()) {
	first, endFirst := context.WithCancel(parent)
	second, endSecond := context.WithCancel(parent)
	received := make(chan os.Signal, 2)
	signal.Notify(received, syscall.SIGTERM, syscall.SIGINT)
	finished := make(chan struct{})
	go func() {
		for _, end := range []context.CancelFunc{endFirst, endSecond} {
			select {
			case <-received:
				end()
			case <-finished:
				return
			}
		}
	}()
	return first, second, func() {
		signal.Stop(received)
		close(finished)
		endFirst()
		endSecond()
	}
}

func serve(stopping, cut context.Context, stderr io.Writer) error {
	config, err := bridge.LoadConfig()
	if err != nil {
		return &exitError{exitBadConfig, err}
	}
	log, err := telemetry.NewLogger(config.Log.Level, config.Log.Format, stderr)
	if err != nil {
		return &exitError{exitBadConfig, err}
	}
	log = log.With(zap.String(telemetry.KeyReplica, config.ReplicaID))
	hideStandardLog(log)
	paceCollector()
	v, c := buildVersion()
	daemon, err := bridge.New(config, bridge.Build{Version: v, Commit: c, GoVersion: runtime.Version()}, log)
	if _, bad := errors.AsType[*bridge.ConfigError](err); bad {
		return &exitError{exitBadConfig, err}
	}
	if err != nil {
		return &exitError{exitFailure, err}
	}
	tracer, _, stopTracing, err := tracing.Setup(stopping, v, tracing.OnError(func(err error) { log.Warn("Trace spans were lost", zap.Error(err)) }))
	if err != nil {
		return &exitError{exitBadConfig, err}
	}
	daemon.UseTracer(tracer)
	err = daemon.Run(stopping, cut)
	flush, cancel := context.WithTimeout(context.WithoutCancel(stopping), tracesLimit)
	defer cancel()
	if lost := stopTracing(flush); lost != nil {
		log.Warn("The last trace spans were lost", zap.Error(lost))
	}
	if _, bad := errors.AsType[*bridge.ConfigError](err); bad {
		return &exitError{exitBadConfig, err}
	}
	if err != nil {
		return &exitError{exitFailure, err}
	}
	return nil
}
