package terminalgroups

import (
	"reflect"
	"strings"
	"testing"
)

// secret is a key that no error may show.
const secret = "s3cr3tkeys3cr3tkeys3cr3tkeys3cr3tkey"

func TestParse(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		file string
		want []entry
	}{
		"block": {
			"# our shops\ngroups:\n  - id: amsterdam # the first\n    api_key_file: keys/a\n    terminals:\n      - 00000ABC\n      - \"T-2_x\"\n  - id: berlin\n    api_key: abc\n",
			[]entry{
				{id: "amsterdam", keyFile: "keys/a", terminals: []string{"00000ABC", "T-2_x"}, line: 3},
				{id: "berlin", key: "abc", line: 8},
			},
		},
		"flow":       {`{groups: [{id: a, api_key: b, terminals: [c, d]}]}`, []entry{{id: "a", key: "b", terminals: []string{"c", "d"}, line: 1}}},
		"JSON":       {`{"groups": [{"id": "a", "api_key": "b"}]}`, []entry{{id: "a", key: "b", line: 1}}},
		"CRLF":       {"groups:\r\n- id: a\r\n  api_key: b\r\n", []entry{{id: "a", key: "b", line: 2}}},
		"dash alone": {"groups:\n-\n  id: a\n  api_key: b\n", []entry{{id: "a", key: "b", line: 3}}},
		"start":      {"---\ngroups: [{id: a, api_key: b}]\n...\n", []entry{{id: "a", key: "b", line: 2}}},
		"values that look like numbers stay as they are written": {
			`groups: [{id: 007, api_key: 1e5, terminals: [00000123, 0x1F, 1_000, 12345678901234567890123, true, 0b1, 0o17]}]`,
			[]entry{{id: "007", key: "1e5", terminals: []string{"00000123", "0x1F", "1_000", "12345678901234567890123", "true", "0b1", "0o17"}, line: 1}},
		},
		"merge":          {"groups: [{<<: {id: a}, api_key: b}]", []entry{{id: "a", key: "b", line: 1}}},
		"key as a block": {"groups:\n- id: a\n  api_key: |\n    abc\n", []entry{{id: "a", key: "abc", line: 2}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parse([]byte(test.file))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	group := func(fields string) string { return "groups:\n- {" + fields + "}\n" }
	tests := map[string]struct{ file, want string }{
		"empty":                    {"", "file is empty"},
		"comment only":             {"# nothing\n", "file is empty"},
		"not YAML":                 {"groups: [{id: a, api_key: " + secret, "not YAML"},
		"open quote":               {group(`id: a, api_key: "` + secret), "not YAML"},
		"a list":                   {"- " + secret, `line 1: "groups:" must be a list of groups with id, api_key, api_key_file, terminals`},
		"a word":                   {secret, `line 1: "groups:" must be a list of groups with id, api_key, api_key_file, terminals`},
		"no groups":                {"{}", `"groups:" with at least one group is missing`},
		"groups null":              {"groups:\n", `"groups:" with at least one group is missing`},
		"groups mapping":           {"groups: {a: b}", `line 1: "groups:" must be a list of groups with id, api_key, api_key_file, terminals`},
		"groups empty":             {"groups: []", `"groups:" with at least one group is missing`},
		"second name":              {"groups: [{id: a, api_key: b}]\nterminals: [c]", `line 2: unknown name "terminals" in the file; allowed: groups`},
		"group null":               {"groups: [null]", `"groups:" with at least one group is missing`},
		"group word":               {"groups: [" + secret + "]", `line 1: "groups:" must be a list of groups with id, api_key, api_key_file, terminals`},
		"unknown name":             {group("id: a, api_kee: b"), `line 2: unknown name "api_kee" in a group; allowed: id, api_key, api_key_file, terminals`},
		"capitals":                 {group("ID: a, api_key: b"), "line 2: unknown name in a group"},
		"a key as a name":          {group("id: a, " + secret + ": b"), "line 2: unknown name in a group"},
		"name twice":               {group("id: a, api_key: b, api_key: " + secret), "line 2: a name occurs twice"},
		"no id":                    {group("api_key: " + secret), "line 2: the id of a group must be 1 to 32 characters"},
		"empty id":                 {group("id: '', api_key: b"), "line 2: id is empty"},
		"key as id":                {group("id: " + secret + ", api_key: b"), "line 2: the id of a group must be 1 to 32 characters"},
		"id with a blank":          {group("id: 'a b', api_key: b"), "line 2: the id of a group must be"},
		"id null":                  {group("id: null, api_key: b"), "line 2: id must be a single plain value"},
		"id list":                  {group("id: [a], api_key: b"), "line 2: id must be a single plain value"},
		"no key":                   {group("id: a"), "line 2: group a must have either api_key or api_key_file"},
		"both keys":                {group("id: a, api_key: " + secret + ", api_key_file: f"), "line 2: group a must have either api_key or api_key_file"},
		"empty key":                {group("id: a, api_key: ''"), "line 2: api_key is empty"},
		"null key":                 {group("id: a, api_key: ~"), "line 2: api_key must be a single plain value"},
		"key list":                 {group("id: a, api_key: [" + secret + "]"), "line 2: api_key must be a single plain value"},
		"key with a blank":         {group("id: a, api_key: '" + secret + " x'"), "line 2: group a: api_key: must be 1 to 256 visible ASCII characters"},
		"long key":                 {group("id: a, api_key: " + strings.Repeat(secret, 9)), "line 2: group a: api_key: must be 1 to 256 visible ASCII characters"},
		"anchor and alias":         {group("id: a, api_key: &k " + secret + ", terminals: [*k]"), "line 2: api_key must be a single plain value"},
		"tag":                      {group("id: a, api_key: !!binary " + secret), "line 2: api_key must be a single plain value"},
		"terminals empty":          {group("id: a, api_key: b, terminals: []"), "line 2: terminals: the list is empty"},
		"terminals null":           {group("id: a, api_key: b, terminals: null"), "line 2: terminals must be a list"},
		"terminals word":           {group("id: a, api_key: b, terminals: T1"), "line 2: terminals must be a list"},
		"terminal null":            {group("id: a, api_key: b, terminals: [null]"), "line 2: a terminal must be a single plain value"},
		"terminal with a dot":      {group("id: a, api_key: b, terminals: [a.b]"), "line 2: group a: terminal must be 1 to 36 characters"},
		"terminal star":            {group("id: a, api_key: b, terminals: ['*']"), "line 2: group a: terminal must be 1 to 36 characters"},
		"terminal too long":        {group("id: a, api_key: b, terminals: [" + secret + secret + "]"), "line 2: group a: terminal must be 1 to 36 characters"},
		"terminal twice in one":    {group("id: a, api_key: b, terminals: [T1, T1]"), "line 2: terminal T1 of group a is already in group a"},
		"terminal in two groups":   {group("id: a, api_key: b, terminals: [T1]") + "- {id: c, api_key: d, terminals: [T2, T1]}\n", "line 3: terminal T1 of group c is already in group a"},
		"group twice":              {group("id: a, api_key: b") + "- {id: a, api_key: d}\n", "line 3: group a appears twice"},
		"two documents":            {"groups: [{id: a, api_key: b}]\n---\ngroups: [{id: a, api_key: b}]\n", "line 2: more than one document"},
		"deep":                     {strings.Repeat("[", 100_000), "not YAML"},
		"deep block":               {strings.Repeat("- ", 100_000), "not YAML"},
		"many dashes":              {strings.Repeat("-\n", maxFile/2), `line 1: "groups:" must be a list of groups with id, api_key, api_key_file, terminals`},
		"too large":                {strings.Repeat("#", maxFile+1), "file is larger than 1048576 bytes"},
		"input the library can't":  {group("id: a, api_key: b, terminals: !!binary aaa"), "line 2: terminals must be a list"},
		"mapping instead of lists": {"groups: !!binary aaa", "not YAML"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parse([]byte(test.file))
			if err == nil {
				t.Fatalf("got %+v, want an error", got)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %q, want %q in it", err, test.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("error shows the key: %q", err)
			}
		})
	}
}

// FuzzParse: nothing panics, what is accepted obeys the rules, and errors never
// quote what could be a key.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"groups: [{id: a, api_key: b, terminals: [c, 00123]}]",
		"groups:\n  - id: a\n    api_key_file: x\n  - id: b\n    api_key: |\n      abc\n    terminals:\n      - \"1\"\n",
		"groups: &a [*a]", "? [a]\n: b", "!!binary a", "groups: [{<<: *x}]", "--- >\n a\n...\n%YAML 1.2\n", "{{{{", "- - - -", "a: 'b", "\x00", "groups: [{id: !!set {a}, api_key: !!float x}]",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		entries, err := parse(content)
		if err != nil {
			for word := range strings.FieldsSeq(string(content)) {
				if len(word) > 40 && strings.Contains(err.Error(), word) {
					t.Errorf("error %q quotes %q", err, word)
				}
			}
			return
		}
		if len(entries) == 0 {
			t.Error("no entry and no error")
		}
		seen := make(map[string]bool)
		for _, e := range entries {
			if !validGroupID(e.id) || (e.key == "") == (e.keyFile == "") || e.key != "" && !validKey(e.key) {
				t.Errorf("accepted %+v", e)
			}
			if e.terminals != nil && len(e.terminals) == 0 {
				t.Errorf("empty list of terminals accepted")
			}
			for _, terminal := range e.terminals {
				if seen[terminal] {
					t.Errorf("terminal %s twice", terminal)
				}
				seen[terminal] = true
			}
		}
	})
}
