package terminalgroups

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

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

// errNotYAML carries no more than a line: the library's own errors quote the
// file, and with it keys.
var errNotYAML = errors.New("not YAML")

// parse reads the file's content. Its errors quote nothing but ids that have the
// form of ids.
func parse(content []byte) ([]entry, error) {
	if len(content) > maxFile {
		return nil, fmt.Errorf("file is larger than %d bytes", maxFile)
	}
	root, err := document(content)
	if err != nil {
		return nil, err
	}
	fields, err := mapping(root, "the file", "groups")
	if err != nil {
		return nil, err
	}
	groups, ok := fields["groups"]
	if !ok {
		return nil, errors.New(`want "groups:"`)
	}
	nodes, err := sequence(groups, "groups")
	if err != nil {
		return nil, err
	}
	if len(nodes) > maxGroups {
		return nil, fmt.Errorf("more than %d groups", maxGroups)
	}
	entries := make([]entry, 0, len(nodes))
	ids := make(map[string]bool)
	owners := make(map[string]string) // terminal → group
	for _, node := range nodes {
		e, err := parseEntry(node)
		if err != nil {
			return nil, err
		}
		if ids[e.id] {
			return nil, fmt.Errorf("line %d: group %s stands twice", e.line, e.id)
		}
		ids[e.id] = true
		for _, terminal := range e.terminals {
			if owner, taken := owners[terminal]; taken {
				return nil, fmt.Errorf("line %d: terminal %s of group %s is in group %s already", e.line, terminal, e.id, owner)
			}
			owners[terminal] = e.id
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// parseEntry reads one group.
func parseEntry(node ast.Node) (entry, error) {
	e := entry{line: line(node)}
	fields, err := mapping(node, "a group", "id", "api_key", "api_key_file", "terminals")
	if err != nil {
		return entry{}, err
	}
	for _, field := range []struct {
		name string
		to   *string
	}{{"id", &e.id}, {"api_key", &e.key}, {"api_key_file", &e.keyFile}} {
		value, ok := fields[field.name]
		if !ok {
			continue
		}
		if *field.to, err = scalar(value, field.name); err != nil {
			return entry{}, err
		}
		if *field.to == "" {
			return entry{}, fmt.Errorf("line %d: %s is empty", line(value), field.name)
		}
	}
	if !validGroupID(e.id) {
		return entry{}, fmt.Errorf("line %d: id of a group: want 1 to %d characters of A-Z a-z 0-9 _ -", e.line, maxGroupID)
	}
	if (e.key == "") == (e.keyFile == "") {
		return entry{}, fmt.Errorf("line %d: group %s: want either api_key or api_key_file", e.line, e.id)
	}
	if e.key != "" && !validKey(e.key) {
		return entry{}, fmt.Errorf("line %d: group %s: api_key: %w", e.line, e.id, errKey)
	}
	terminals, ok := fields["terminals"]
	if !ok {
		return e, nil
	}
	nodes, err := sequence(terminals, "terminals")
	if err != nil {
		return entry{}, err
	}
	for _, node := range nodes {
		terminal, err := scalar(node, "a terminal")
		if err != nil {
			return entry{}, err
		}
		if err := subjects.CheckTerminal(terminal); err != nil {
			return entry{}, fmt.Errorf("line %d: group %s: %w", line(node), e.id, err)
		}
		e.terminals = append(e.terminals, terminal)
	}
	return e, nil
}

// document returns the file's one document. The values are taken from the
// syntax tree because decoding turns 00000123 into 83.
func document(content []byte) (root ast.Node, err error) {
	if depth(content) > maxDepth {
		return nil, errors.New("nested too deeply")
	}
	if bareDashes(content) > maxGroups {
		return nil, fmt.Errorf("more than %d groups", maxGroups)
	}
	defer func() {
		if recover() != nil { // the library panics on some input
			root, err = nil, errNotYAML
		}
	}()
	file, err := parser.ParseBytes(content, 0)
	if err != nil {
		if e, ok := errors.AsType[yaml.Error](err); ok && e.GetToken() != nil && e.GetToken().Position != nil {
			return nil, fmt.Errorf("line %d: %w, or a name stands twice", e.GetToken().Position.Line, errNotYAML)
		}
		return nil, errNotYAML
	}
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case root != nil:
			return nil, fmt.Errorf("line %d: more than one document", line(doc.Body))
		default:
			root = doc.Body
		}
	}
	if root == nil {
		return nil, errors.New("file is empty")
	}
	return root, nil
}

// maxDepth is far more than the file needs.
const maxDepth = 64

// depth bounds how deeply the content can be nested, from above: the parser
// recurses, and Go cannot recover from a stack that is used up.
func depth(content []byte) int {
	deepest, open := 0, 0
	for row := range bytes.Lines(content) {
		indent := 0
		for _, c := range row {
			switch c {
			case '[', '{':
				open++
			case ']', '}':
				open = max(open-1, 0)
			}
		}
		// "- - - - x" nests in one line, and so do "? ? ? x" and ": : : x".
		for len(row) > 0 && strings.IndexByte(" -?:\t", row[0]) >= 0 {
			if row[0] != ' ' {
				indent++
			}
			row = row[1:]
		}
		deepest = max(deepest, open+indent)
	}
	return deepest
}

// bareDashes counts the lines that hold a dash and nothing else. A list of a
// million of them keeps the parser busy for minutes.
func bareDashes(content []byte) int {
	n := 0
	for row := range bytes.Lines(content) {
		if string(bytes.TrimSpace(row)) == "-" {
			n++
		}
	}
	return n
}

// mapping returns the fields of a mapping that has none but the known ones.
func mapping(node ast.Node, what string, known ...string) (map[string]ast.Node, error) {
	var values []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		return nil, fmt.Errorf("line %d: %s: want names with values (%s)", line(node), what, strings.Join(known, ", "))
	}
	fields := make(map[string]ast.Node, len(values))
	for _, value := range values {
		name, ok := value.Key.(*ast.StringNode)
		if !ok || !contains(known, name.Value) {
			return nil, fmt.Errorf("line %d: unknown name%s in %s: want %s", line(value.Key), shown(value.Key), what, strings.Join(known, ", "))
		}
		if _, twice := fields[name.Value]; twice {
			return nil, fmt.Errorf("line %d: %s stands twice", line(value.Key), name.Value)
		}
		if value.Value == nil {
			return nil, fmt.Errorf("line %d: %s is empty", line(value.Key), name.Value)
		}
		fields[name.Value] = value.Value
	}
	return fields, nil
}

// shown quotes an unknown name if it cannot be a key: letters and underscores, short.
func shown(node ast.Node) string {
	name, ok := node.(*ast.StringNode)
	if !ok || len(name.Value) == 0 || len(name.Value) > 16 {
		return ""
	}
	for _, c := range []byte(name.Value) {
		if c != '_' && (c < 'a' || c > 'z') {
			return ""
		}
	}
	return ` "` + name.Value + `"`
}

// sequence returns the elements of a list that is not empty.
func sequence(node ast.Node, what string) ([]ast.Node, error) {
	n, ok := node.(*ast.SequenceNode)
	if !ok {
		return nil, fmt.Errorf("line %d: %s: want a list", line(node), what)
	}
	if len(n.Values) == 0 {
		return nil, fmt.Errorf("line %d: %s: the list is empty", line(node), what)
	}
	return n.Values, nil
}

// scalar returns a single value as it is written in the file.
func scalar(node ast.Node, what string) (string, error) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, nil
	case *ast.LiteralNode:
		if n.Value != nil {
			return strings.TrimSpace(n.Value.Value), nil
		}
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		if token := n.GetToken(); token != nil {
			return token.Value, nil
		}
	}
	return "", fmt.Errorf("line %d: %s: want a single plain value", line(node), what)
}

// line returns where a node stands, 0 when the library does not know.
func line(node ast.Node) int {
	if node == nil || node.GetToken() == nil || node.GetToken().Position == nil {
		return 0
	}
	return node.GetToken().Position.Line
}

// contains tells whether names has name.
func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// errKey is what is wrong with a key, which is not shown.
var errKey = fmt.Errorf("want 1 to %d visible ASCII characters", maxKey)

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
