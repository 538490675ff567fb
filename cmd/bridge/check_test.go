package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/simulator/simulatortest"
)

// The exit codes of "pos-bridge check", and where it writes what.
func TestCheck(t *testing.T) {
	server := natstest.Run(t)
	sim := simulatortest.Start(t, simulator.Options{})
	good := map[string]string{
		"BRIDGE_NATS_URL": server.URL(), "BRIDGE_API_URL": sim.APIURL, "BRIDGE_API_KEY": "demo-key", "BRIDGE_HTTP_ADDR": "127.0.0.1:0",
	}
	tests := []struct {
		name   string
		set    map[string]string
		args   []string
		code   int
		stdout string
		stderr string
	}{
		{"warnings are no failure", nil, nil, exitOK, "0 failures, ", ""},
		{"warnings are one with --strict", nil, []string{"--strict"}, exitFailure, "0 failures, ", ""},
		{"a wrong key", map[string]string{"BRIDGE_API_KEY": "hush-hush"}, nil, exitFailure, "key refused", ""},
		{"NATS is away", map[string]string{"BRIDGE_NATS_URL": "nats://127.0.0.1:1"}, []string{"--connect-timeout=600ms"}, exitFailure, "connection refused", ""},
		{"a bad variable", map[string]string{"BRIDGE_REPLICA_TTL": "soon"}, nil, exitBadConfig, "BRIDGE_REPLICA_TTL must be", "pos-bridge: bad configuration: BRIDGE_REPLICA_TTL must be"},
		{"no key", map[string]string{"BRIDGE_API_KEY": ""}, []string{"--json"}, exitBadConfig, "BRIDGE_API_KEY is missing", "BRIDGE_API_KEY is missing"},
		{"hosts that are none", map[string]string{"BRIDGE_EVENTS_ALLOWED_HOSTS": "a b"}, nil, exitBadConfig, "BRIDGE_EVENTS_ALLOWED_HOSTS", "BRIDGE_EVENTS_ALLOWED_HOSTS"},
		{"the help names the code of a bad configuration", nil, []string{"--help"}, exitOK, fmt.Sprintf("; %d the\n", exitBadConfig), ""},
		{"a wrong flag", nil, []string{"--jsno"}, exitBadConfig, "", "unknown flag"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, set := range []map[string]string{good, tt.set} {
				for name, value := range set {
					t.Setenv(name, value)
				}
			}
			var stdout, stderr bytes.Buffer
			code := run(context.Background(), append([]string{"check"}, tt.args...), strings.NewReader(""), &stdout, &stderr)
			if code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if !strings.Contains(stdout.String(), tt.stdout) {
				t.Errorf("stdout has no %q:\n%s", tt.stdout, stdout.String())
			}
			if !strings.Contains(stderr.String(), tt.stderr) || tt.stderr == "" && stderr.Len() > 0 {
				t.Errorf("stderr is %q, want %q in it", stderr.String(), tt.stderr)
			}
			if strings.Contains(stdout.String()+stderr.String(), "hush-hush") {
				t.Error("the key is shown")
			}
			if len(tt.args) > 0 && tt.args[0] == "--json" && !json.Valid(stdout.Bytes()) {
				t.Errorf("stdout is no JSON:\n%s", stdout.String())
			}
		})
	}
}
