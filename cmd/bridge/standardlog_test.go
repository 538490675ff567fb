package main

import (
	"bytes"
	"context"
	"log"
	"strings"
	"testing"

	"github.com/posbridge/bridge/internal/telemetry"
)

// Nothing that a library writes to the standard log is shown; that there was
// something is said once.
func TestStandardLogIsNotShown(t *testing.T) { //nolint:paralleltest // there is one standard log
	var text bytes.Buffer
	before := log.Writer()
	t.Cleanup(func() { log.SetOutput(before) })

	log.SetOutput(&text)
	if code := run(context.Background(), []string{"version"}, strings.NewReader(""), &text, &text); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	text.Reset()
	log.Print("hush-hush")
	if text.Len() > 0 {
		t.Errorf("before there is a logger: %q", text.String())
	}

	logger, err := telemetry.NewLogger("info", telemetry.FormatJSON, &text)
	if err != nil {
		t.Fatal(err)
	}
	hideStandardLog(logger)
	log.Print("hush-hush")
	log.Print("hush-hush again")
	if got := text.String(); strings.Contains(got, "hush") || strings.Count(got, "\n") != 1 {
		t.Errorf("got %q, want one line without the text", got)
	}
}
