package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posbridge/bridge/schema"
)

// runSchema runs "pos-bridge schema" with args.
func runSchema(args ...string) (stdout string, err error) {
	cmd := newSchema()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	err = cmd.Execute()
	return out.String(), err
}

func TestSchemaListsNames(t *testing.T) {
	t.Parallel()
	out, err := runSchema()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if got, want := len(lines), len(schema.Names())+1; got != want {
		t.Errorf("got %d lines, want %d", got, want)
	}
	for i, name := range schemaNames() {
		got, about, _ := strings.Cut(lines[i], " ")
		if got != name || !strings.HasSuffix(strings.TrimSpace(about), ".") {
			t.Errorf("line %q: want %s and a sentence", lines[i], name)
		}
	}
}

func TestSchemaPrintsOne(t *testing.T) {
	t.Parallel()
	for _, name := range schema.Names() {
		out, err := runSchema(name)
		if err != nil {
			t.Fatal(err)
		}
		var document struct {
			ID string `json:"$id"`
		}
		if err := json.Unmarshal([]byte(out), &document); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if want := "/" + name + ".json"; !strings.HasSuffix(document.ID, want) {
			t.Errorf("%s: got $id %s", name, document.ID)
		}
	}
	out, err := runSchema("asyncapi")
	if err != nil || !strings.HasPrefix(out, "asyncapi: 3.0.0\n") {
		t.Errorf("asyncapi: got %.40q, %v", out, err)
	}
}

func TestSchemaWritesAll(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "made", "here")
	out, err := runSchema("--all", folder)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Count(out, "\n"), len(schema.Names())+1; got != want {
		t.Errorf("printed %d files, want %d", got, want)
	}
	for _, name := range schema.Names() {
		got, err := os.ReadFile(filepath.Join(folder, name+".json"))
		want, _ := schema.JSON(name)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: not as embedded: %v", name, err)
		}
	}
	if got, err := os.ReadFile(filepath.Join(folder, schema.AsyncAPIFile)); err != nil || !bytes.Equal(got, schema.AsyncAPI()) {
		t.Errorf("%s: not as embedded: %v", schema.AsyncAPIFile, err)
	}
}

func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		code int
		want string
	}{
		{"unknown name", []string{"payment"}, exitBadConfig, "start-request"},
		{"unknown name, in full", []string{"session.json"}, exitBadConfig, "asyncapi"},
		{"all and a name", []string{"--all", file, "session"}, exitBadConfig, "--all"},
		{"all and nothing", []string{"--all", ""}, exitBadConfig, "folder"},
		{"folder is a file", []string{"--all", file}, exitFailure, "write schemas"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out, err := runSchema(tt.args...)
			exit, ok := errors.AsType[*exitError](err)
			if !ok || exit.Code != tt.code || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want exit %d and %q", err, tt.code, tt.want)
			}
			if out != "" {
				t.Errorf("printed %q", out)
			}
		})
	}
	if _, err := runSchema("session", "get-request"); err == nil {
		t.Error("two names: got no error")
	}
}
