package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Stamped at build time with -ldflags "-X main.version=… -X main.commit=…".
var (
	version = ""
	commit  = ""
)

// buildVersion returns the version and the commit that this binary was built
// from: what was stamped, else what the Go toolchain recorded.
func buildVersion() (v, c string) {
	v, c = version, commit
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	if v == "" {
		v = info.Main.Version
	}
	if v == "" || v == "(devel)" {
		v = "0.0.0-dev"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && c == "" {
			c = s.Value
		}
	}
	if c == "" {
		c = "unknown"
	}
	return v, c
}

// versionLine is what "pos-bridge version" and "pos-bridge --version" print behind
// the program's name.
func versionLine() string {
	v, c := buildVersion()
	return fmt.Sprintf("%s (commit %s, %s)", v, c, runtime.Version())
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print version, commit and Go release",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s version %s\n", program, versionLine())
			return err
		},
	}
}
