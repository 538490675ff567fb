package terminalgroups

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/posbridge/bridge/subjects"
)

// Bounds of the file.
const (
	maxFile    = 1 << 20 // bytes
	maxGroups  = 1000
	maxKeyFile = 4 << 10 // bytes
	maxKey     = 256     // characters
	maxGroupID = 32      // characters
)

// entry is one group as the file has it.
type entry struct {
	id string
	// key and keyFile: exactly one of them is set.
	key, keyFile string
	// terminals is nil when the provider is to be asked.
	terminals []string
	line      int
}

// document and group are the file's form. Values are nodes, so that 00000123
// stays as it is written.
type document struct {
	Groups []group `yaml:"groups"`
}

type group struct {
	ID        yaml.Node `yaml:"id"`
	Key       yaml.Node `yaml:"api_key"`
	KeyFile   yaml.Node `yaml:"api_key_file"`
	Terminals yaml.Node `yaml:"terminals"`
}

// Names of the file, as its errors list them.
const (
	documentNames = "groups"
	groupNames    = "id, api_key, api_key_file, terminals"
)

// parse reads the file's content. Its errors quote nothing but ids that have the
// form of ids.
func parse(content []byte) ([]entry, error) {
	if len(content) > maxFile {
		return nil, fmt.Errorf("file is larger than %d bytes", maxFile)
	}
	d := yaml.NewDecoder(bytes.NewReader(content))
	d.KnownFields(true)
	var file document
	switch err := d.Decode(&file); {
	case errors.Is(err, io.EOF):
		return nil, errors.New("file is empty")
	case err != nil:
		return nil, safeError(err)
	case len(file.Groups) == 0:
		return nil, errors.New(`"groups:" with at least one group is missing`)
	case len(file.Groups) > maxGroups:
		return nil, fmt.Errorf("more than %d groups", maxGroups)
	}
	var second yaml.Node
	if err := d.Decode(&second); err == nil {
		return nil, fmt.Errorf("line %d: more than one document", second.Line)
	} else if !errors.Is(err, io.EOF) {
		return nil, safeError(err)
	}
	entries := make([]entry, 0, len(file.Groups))
	for i, g := range file.Groups {
		e, err := g.entry(i + 1)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, unique(entries)
}

// unique refuses a group and a terminal that the file has twice.
func unique(entries []entry) error {
	ids := make(map[string]bool)
	owners := make(map[string]string) // terminal → group
	for _, e := range entries {
		if ids[e.id] {
			return fmt.Errorf("line %d: group %s appears twice", e.line, e.id)
		}
		ids[e.id] = true
		for _, terminal := range e.terminals {
			if owner, taken := owners[terminal]; taken {
				return fmt.Errorf("line %d: terminal %s of group %s is already in group %s", e.line, terminal, e.id, owner)
			}
			owners[terminal] = e.id
		}
	}
	return nil
}

// entry reads one group; number says which, for one that has no line.
func (g *group) entry(number int) (entry, error) {
	e := entry{line: g.line()}
	if e.line == 0 {
		return entry{}, fmt.Errorf("group number %d must have names with values (%s)", number, groupNames)
	}
	for _, field := range []struct {
		name string
		node *yaml.Node
		to   *string
	}{{"id", &g.ID, &e.id}, {"api_key", &g.Key, &e.key}, {"api_key_file", &g.KeyFile, &e.keyFile}} {
		if field.node.Kind == 0 {
			continue
		}
		var err error
		if *field.to, err = scalar(field.node, field.name); err != nil {
			return entry{}, err
		}
		if *field.to == "" {
			return entry{}, fmt.Errorf("line %d: %s is empty", field.node.Line, field.name)
		}
	}
	if !validGroupID(e.id) {
		return entry{}, fmt.Errorf("line %d: the id of a group must be 1 to %d characters of A-Z a-z 0-9 _ -", e.line, maxGroupID)
	}
	if (e.key == "") == (e.keyFile == "") {
		return entry{}, fmt.Errorf("line %d: group %s must have either api_key or api_key_file", e.line, e.id)
	}
	if e.key != "" && !validKey(e.key) {
		return entry{}, fmt.Errorf("line %d: group %s: api_key: %w", e.line, e.id, errKey)
	}
	var err error
	e.terminals, err = g.terminals(e.id)
	return e, err
}

// line is where the group begins, 0 for one without fields.
func (g *group) line() int {
	first := 0
	for _, n := range []*yaml.Node{&g.ID, &g.Key, &g.KeyFile, &g.Terminals} {
		if n.Line > 0 && (first == 0 || n.Line < first) {
			first = n.Line
		}
	}
	return first
}

// terminals reads a group's list, nil when there is none.
func (g *group) terminals(id string) ([]string, error) {
	list := &g.Terminals
	switch {
	case list.Kind == 0:
		return nil, nil
	case list.Kind != yaml.SequenceNode || list.Style&yaml.TaggedStyle != 0:
		return nil, fmt.Errorf("line %d: terminals must be a list", list.Line)
	case len(list.Content) == 0:
		return nil, fmt.Errorf("line %d: terminals: the list is empty", list.Line)
	}
	terminals := make([]string, 0, len(list.Content))
	for _, node := range list.Content {
		terminal, err := scalar(node, "a terminal")
		if err != nil {
			return nil, err
		}
		if err := subjects.CheckTerminal(terminal); err != nil {
			return nil, fmt.Errorf("line %d: group %s: %w", node.Line, id, err)
		}
		terminals = append(terminals, terminal)
	}
	return terminals, nil
}

// scalar returns a single value as it is written in the file.
func scalar(node *yaml.Node, what string) (string, error) {
	if node.Kind != yaml.ScalarNode || node.ShortTag() == "!!null" || node.Style&yaml.TaggedStyle != 0 || node.Anchor != "" {
		return "", fmt.Errorf("line %d: %s must be a single plain value", node.Line, what)
	}
	return strings.TrimSpace(node.Value), nil
}

// What the library's errors say. They quote the file, and with it keys.
var (
	errorLine    = regexp.MustCompile(`line (\d+)`)
	errorUnknown = regexp.MustCompile(`^line \d+: field (.*) not found in type terminalgroups\.(document|group)$`)
	shortName    = regexp.MustCompile(`^[a-z_]{1,16}$`)
	errorTwice   = regexp.MustCompile(`^line \d+: mapping key .* already defined at line \d+$`)
)

// safeError says the same as an error of the library, and quotes nothing but a
// short name that cannot be a key.
func safeError(err error) error {
	said, form := err.Error(), false
	if wrong, ok := errors.AsType[*yaml.TypeError](err); ok && len(wrong.Errors) > 0 {
		said, form = wrong.Errors[0], true
	}
	what := "not YAML"
	if form {
		what = `"groups:" must be a list of groups with ` + groupNames
	}
	if m := errorUnknown.FindStringSubmatch(said); m != nil {
		name, names, in := "", groupNames, "a group"
		if shortName.MatchString(m[1]) {
			name = ` "` + m[1] + `"`
		}
		if m[2] == "document" {
			names, in = documentNames, "the file"
		}
		what = fmt.Sprintf("unknown name%s in %s; allowed: %s", name, in, names)
	} else if errorTwice.MatchString(said) {
		what = "a name occurs twice"
	}
	if m := errorLine.FindStringSubmatch(said); m != nil {
		return fmt.Errorf("line %s: %s", m[1], what)
	}
	return errors.New(what)
}

// errKey is what is wrong with a key, which is not shown.
var errKey = fmt.Errorf("must be 1 to %d visible ASCII characters", maxKey)

// validKey tells whether s can be an API key.
func validKey(s string) bool {
	if s == "" || len(s) > maxKey {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// validGroupID tells whether s can be a group's id, which may stand in logs and labels.
func validGroupID(s string) bool {
	return len(s) <= maxGroupID && subjects.CheckTerminal(s) == nil
}
