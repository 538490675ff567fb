package schema

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// AsyncAPIFile is the name of the AsyncAPI document in Files.
const AsyncAPIFile = "asyncapi.yaml"

// ErrName is wrapped by JSON for a name that is not in Names.
var ErrName = errors.New("no message of that name")

//go:embed *.json asyncapi.yaml
var files embed.FS

// Files holds NAME.json for each of Names, and AsyncAPIFile. The documents
// refer to each other by these names.
func Files() fs.FS { return files }

// Names lists the messages that have a JSON Schema, sorted: start-request,
// status-event and so on.
func Names() []string {
	matches, err := fs.Glob(files, "*.json")
	if err != nil { // the pattern is a constant and well formed
		panic(err)
	}
	for i, m := range matches {
		matches[i] = strings.TrimSuffix(m, path.Ext(m))
	}
	slices.Sort(matches)
	return matches
}

// JSON returns the JSON Schema of a message.
func JSON(name string) ([]byte, error) {
	if !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("schema %q: %w", name, ErrName)
	}
	return files.ReadFile(name + ".json")
}

// AsyncAPI returns the AsyncAPI document: channels, operations, messages.
func AsyncAPI() []byte {
	document, err := files.ReadFile(AsyncAPIFile)
	if err != nil { // it is embedded by name
		panic(err)
	}
	return document
}
