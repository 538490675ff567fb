package telemetry

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

func TestLoggerJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := NewLogger("info", FormatJSON, &out)
	if err != nil {
		t.Fatal(err)
	}
	log.Debug("not this one")
	log.Warn("stream ended", zap.String(KeyTerminal, "T1"), zap.Duration(KeyWait, 1500*time.Millisecond))
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("one line of JSON: %v in %q", err, out.String())
	}
	if got, ok := line["time"].(string); !ok || !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`).MatchString(got) {
		t.Errorf("time: got %v", line["time"])
	}
	delete(line, "time")
	want := map[string]any{"level": "warn", "msg": "stream ended", "terminal": "T1", "wait": 1.5}
	if len(line) != len(want) {
		t.Errorf("got fields %v, want %v", line, want)
	}
	for k, v := range want {
		if line[k] != v {
			t.Errorf("%s: got %v, want %v", k, line[k], v)
		}
	}
}

func TestLoggerConsole(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := NewLogger("debug", FormatConsole, &out)
	if err != nil {
		t.Fatal(err)
	}
	log.Debug("stream opened", zap.String(KeyTerminal, "T1"))
	if got := out.String(); !strings.Contains(got, "DEBUG\tstream opened") || !strings.Contains(got, `"terminal": "T1"`) {
		t.Errorf("got %q", got)
	}
}

func TestLoggerWritesEveryLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := NewLogger("info", FormatJSON, &out)
	if err != nil {
		t.Fatal(err)
	}
	const n = 1000
	for range n {
		log.Info("the same line")
	}
	if got := strings.Count(out.String(), "\n"); got != n {
		t.Errorf("got %d lines, want %d: none is sampled away", got, n)
	}
}

func TestLoggerRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, level, format, want string }{
		{"level", "loud", FormatJSON, "must be debug, info, warn or error"},
		{"empty level", "", FormatJSON, "must be debug, info, warn or error"},
		{"fatal would hide errors", "fatal", FormatJSON, "must be debug, info, warn or error"},
		{"format", "info", "xml", "must be json or console"},
		{"empty format", "info", "", "must be json or console"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := NewLogger(tt.level, tt.format, &bytes.Buffer{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want it to say %q", err, tt.want)
			}
		})
	}
}
