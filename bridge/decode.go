package bridge

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/posbridge/bridge/schema"
)

// maxRequest is the longest body of a command, in bytes.
const maxRequest = 16 << 10

// decode reads a command's body into v. It is strict: names must match to the
// letter and stand once, nothing may be unknown, nothing may follow. The error
// names the field and what is accepted, never the value.
func decode(body []byte, v any) *schema.Error {
	if len(body) > maxRequest {
		return schema.NewError(schema.InvalidRequest, "body: %d bytes; want at most %d", len(body), maxRequest)
	}
	if len(strings.TrimSpace(string(body))) == 0 {
		return schema.NewError(schema.InvalidRequest, "body: empty; want a JSON object")
	}
	err := json.Unmarshal(body, v, json.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	if problem, ok := errors.AsType[*json.SemanticError](err); ok {
		field := fieldName(problem.JSONPointer)
		if errors.Is(err, json.ErrUnknownName) {
			return schema.NewError(schema.InvalidRequest, "%s: unknown field", field)
		}
		return schema.NewError(schema.InvalidRequest, "%s: %s; want %s", field, kindName(problem.JSONKind), wanted(problem.GoType))
	}
	if problem, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return schema.NewError(schema.InvalidRequest, "%s: given more than once", fieldName(problem.JSONPointer))
		}
		return schema.NewError(schema.InvalidRequest, "body: malformed JSON at byte %d; want one JSON object in UTF-8", problem.ByteOffset)
	}
	return schema.NewError(schema.InvalidRequest, "body: malformed JSON; want one JSON object in UTF-8")
}

// fieldName writes a pointer as customer.email. A name from outside is shown
// only as far as it can be shown.
func fieldName(p jsontext.Pointer) string {
	var tokens []string
	for token := range p.Tokens() {
		tokens = append(tokens, shownName(token))
	}
	if len(tokens) == 0 {
		return "body"
	}
	return strings.Join(tokens, ".")
}

func shownName(name string) string {
	shown := strings.Map(func(c rune) rune {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == '-' || '0' <= c && c <= '9' {
			return c
		}
		return '?'
	}, name)
	if digits := strings.Map(func(c rune) rune {
		if '0' <= c && c <= '9' {
			return c
		}
		return -1
	}, shown); len(digits) >= 12 { // nobody names a field so; a card number may stand there by mistake
		return fmt.Sprintf("a name of %d characters", len(name))
	}
	if len(shown) > 40 {
		return shown[:40] + "…"
	}
	return shown
}

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return "a value of another kind"
}

func wanted(t reflect.Type) string {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil {
		return "a value of the right kind"
	}
	switch t.Kind() {
	case reflect.Int64:
		return "an integer"
	case reflect.String:
		return "a string"
	case reflect.Struct:
		return "an object"
	}
	return "a value of the right kind"
}
