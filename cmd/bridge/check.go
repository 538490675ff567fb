package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/check"
)

// newCheck is "pos-bridge check": prove a configuration without serving.
func newCheck() *cobra.Command {
	var options check.Options
	var asJSON, strict bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Prove a configuration: NATS, JetStream, rights, keys, clocks; serves nothing",
		Long: `Prove a configuration without serving. It reads the same BRIDGE_… variables as
"pos-bridge serve" and goes through the configuration, the connection to NATS, the
JetStream objects and what their storage promises, the rights of the user, each
terminal group's key and terminals, and the clocks.

It changes nothing and disturbs no payment: rights are tried with messages that
the server drops, each of which leaves a line ("Publish Violation") in its log.
With --create it makes the JetStream objects that are missing.

Exit codes: 0 no failure; 1 a failure, or with --strict a warning; 78 the
configuration cannot be used.`,
		Example: `  pos-bridge check
  pos-bridge check --strict --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := untilStopped(cmd)
			defer stop()
			var err error
			var report *check.Report
			v, _ := buildVersion()
			options.UserAgent = "pos-bridge/" + v
			if options.Config, err = bridge.LoadConfig(); err == nil {
				report, err = check.Run(ctx, options)
			}
			if bad, ok := errors.AsType[*bridge.ConfigError](err); ok {
				if err := write(check.Refused(bad), cmd.OutOrStdout(), asJSON); err != nil {
					return &exitError{exitFailure, err}
				}
				return &exitError{exitBadConfig, bad}
			}
			if err != nil {
				return &exitError{exitFailure, err}
			}
			if err := write(report, cmd.OutOrStdout(), asJSON); err != nil {
				return &exitError{exitFailure, err}
			}
			if report.Count(check.Failure) > 0 || strict && report.Count(check.Warning) > 0 {
				return &exitError{Code: exitFailure}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write the findings as one JSON object")
	cmd.Flags().BoolVar(&strict, "strict", false, "exit with 1 on warnings too")
	cmd.Flags().BoolVar(&options.Create, "create", false, "make the JetStream objects that are missing")
	cmd.Flags().DurationVar(&options.ConnectTimeout, "connect-timeout", check.DefaultConnectTimeout, "how long to wait for NATS")
	return cmd
}

func write(r *check.Report, to io.Writer, asJSON bool) error {
	if asJSON {
		return r.WriteJSON(to)
	}
	return r.WriteTable(to)
}
