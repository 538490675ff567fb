package till

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"plain":             {"Café — 12.50 €", "Café — 12.50 €"},
		"escape sequence":   {"\x1b[2Jgone", "\uFFFD[2Jgone"},
		"C1 control":        {"\u009b2J", "\uFFFD2J"},
		"bell and DEL":      {"a\a\x7f", "a\uFFFD\uFFFD"},
		"new lines":         {"a\nb\r\nc\td", "a b  c d"},
		"bidirectional":     {"a\u202eb", "a\uFFFDb"},
		"zero width":        {"a\u200bb", "a\uFFFDb"},
		"other blanks":      {"a\u00a0b\u3000c", "a b c"},
		"not UTF-8":         {"a\xffb", "a\uFFFDb"},
		"cut":               {strings.Repeat("é", 40), strings.Repeat("é", 30) + "…"},
		"exactly the limit": {strings.Repeat("é", 30), strings.Repeat("é", 30)},
	} {
		if got := Printable(test.text, 30); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("plain", 10)
	f.Add("\x1b]0;title\a\u202e\xff", 5)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = max(limit, 0)
		got := Printable(text, limit)
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Errorf("got %q, with %U", got, r)
			}
		}
		if n := utf8.RuneCountInString(got); n > limit+1 {
			t.Errorf("got %d characters, want at most %d", n, limit+1)
		}
		if again := Printable(got, limit+1); again != got {
			t.Errorf("got %q the second time, want %q", again, got)
		}
	})
}

func TestJSONLine(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ message, want string }{
		"blanks go":   {"{ \"a\" :\n [1, 2] }", `{"a":[1,2]}`},
		"as it came":  {`{"n":12345678901234567890,"e":1e400,"u":"\u00e9"}`, `{"n":12345678901234567890,"e":1e400,"u":"\u00e9"}`},
		"C1 control":  {"{\"a\":\"\u009b2J\"}", `{"a":"\u009b2J"}`},
		"bidi":        {"{\"a\":\"\u202e\"}", `{"a":"\u202e"}`},
		"beyond BMP":  {"{\"a\":\"\U000e0001\"}", `{"a":"\udb40\udc01"}`},
		"DEL":         {"{\"a\":\"\x7f\"}", `{"a":"\u007f"}`},
		"letters":     {`{"a":"é€😀"}`, `{"a":"é€😀"}`},
		"not JSON":    {`{"a":`, ""},
		"two of them": {`{} {}`, ""},
		"not UTF-8":   {"{\"a\":\"\xff\"}", ""},
		"empty":       {"", ""},
	} {
		got, err := jsonLine([]byte(test.message))
		if test.want == "" {
			if err == nil {
				t.Errorf("%s: got %s, want an error", name, got)
			}
			continue
		}
		if string(got) != test.want+"\n" {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, test.want)
		}
	}
}

func FuzzJSONLine(f *testing.F) {
	f.Add([]byte(`{"status":"completed"}`))
	f.Add([]byte("{\"a\":\"\u009b\U000e0001\"}"))
	f.Fuzz(func(t *testing.T, message []byte) {
		line, err := jsonLine(message)
		if err != nil {
			return
		}
		for _, r := range string(line[:len(line)-1]) {
			if !unicode.IsPrint(r) {
				t.Fatalf("got %q, with %U", line, r)
			}
		}
		var got, want any
		if err := json.Unmarshal(message, &want); err != nil {
			return // numbers beyond float64
		}
		if err := json.Unmarshal(line, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	})
}
