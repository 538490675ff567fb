package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/dev"
	"github.com/posbridge/bridge/internal/telemetry"
)

// howCalled is how a person calls this program again, from any folder.
func howCalled() string {
	path, err := os.Executable()
	_, source, _, known := runtime.Caller(0)
	root := filepath.Join(filepath.Dir(source), "..", "..")
	switch {
	case err == nil && known && strings.Contains(path, "go-build") && filepath.IsAbs(root):
		return "go run -C " + forShell(root) + " ./cmd/bridge"
	case strings.ContainsRune(os.Args[0], os.PathSeparator):
		if named, err := filepath.Abs(os.Args[0]); err == nil {
			return forShell(named)
		}
	}
	return forShell(os.Args[0]) // found in a folder of PATH
}

// forShell writes a path as one word of a shell.
func forShell(path string) string {
	if plainWord.MatchString(path) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./+:@%-]+$`)

// freePort reports why a port cannot be listened on; 0 takes any.
func freePort(port int) error {
	if port < 0 || port > 65535 {
		return fmt.Errorf("%d is not a port", port)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("%d is in use, or not allowed", port)
	}
	return listener.Close()
}

func newDev() *cobra.Command {
	var o dev.Options
	level := "warn"
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run everything on this machine, with simulated terminals, and show a sample payment",
		Long: `Run an embedded NATS server with JetStream, the simulated provider with its
terminals and one replica of the bridge in this process, show one sample payment
from start to final status, and stay up. No money moves, nothing leaves the machine.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := telemetry.NewLogger(level, telemetry.FormatConsole, cmd.ErrOrStderr())
			if err != nil {
				return &exitError{exitBadConfig, errors.New("--log-level must be one of debug, info, warn, error")}
			}
			hideStandardLog(log)
			v, c := buildVersion()
			o.Build = bridge.Build{Version: v, Commit: c, GoVersion: runtime.Version()}
			o.Log, o.Out = log, cmd.OutOrStdout()
			stopping, cut, done := signals(cmd.Context())
			defer done()
			o.Command, o.Cut = howCalled(), cut
			if o.Pace <= 0 {
				return &exitError{exitBadConfig, errors.New("--pace must be a number greater than 0")}
			}
			for name, port := range map[string]int{"--nats-port": o.NATSPort, "--simulator-port": o.SimulatorPort, "--http-port": o.HTTPPort} {
				if err := freePort(port); err != nil {
					return &exitError{exitBadConfig, fmt.Errorf("%s must be a free port: %w", name, err)}
				}
			}
			err = dev.Run(stopping, o)
			if _, bad := errors.AsType[*bridge.ConfigError](err); bad {
				return &exitError{exitBadConfig, err}
			}
			if err != nil && (stopping.Err() == nil || o.Once) {
				return &exitError{exitFailure, err}
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.Once, "once", false, "end after the sample payment: 0 when it went well")
	flags.IntVar(&o.NATSPort, "nats-port", 0, "port of NATS (a free one unless given)")
	flags.IntVar(&o.SimulatorPort, "simulator-port", 0, "port of the simulated provider (a free one unless given)")
	flags.IntVar(&o.HTTPPort, "http-port", 0, "port of console, health and metrics (a free one unless given)")
	flags.StringVar(&o.Dir, "data", "", "folder for JetStream's files and the simulator's state (a temporary one unless given)")
	flags.Float64Var(&o.Pace, "pace", 1, "how fast customers act: 1 leaves about a second between steps")
	flags.StringVar(&level, "log-level", level, "log of the replica on stderr: debug, info, warn, error")
	return cmd
}
