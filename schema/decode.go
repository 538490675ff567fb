package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxRequest is the longest request that is read, in bytes: more than every
// field at its limit, escaped.
const MaxRequest = 64 << 10

// DecodeStart reads a start request as strictly as a bridge does: one JSON
// object in UTF-8, field names in the right case and none twice, none that is
// not known, no null, numbers written as integers. The error is an *Error with
// InvalidRequest that names the field; the values are Check's to judge.
func DecodeStart(data []byte) (StartRequest, error) { return decode[StartRequest](data) }

// DecodeOrder reads a cancel or get request as strictly as DecodeStart.
func DecodeOrder(data []byte) (OrderRequest, error) { return decode[OrderRequest](data) }

// DecodeReceipt reads a receipt request as strictly as DecodeStart.
func DecodeReceipt(data []byte) (OrderRequest, error) { return decode[OrderRequest](data) }

// DecodeList reads a list request as strictly as DecodeStart.
//
// Nothing at all counts as {}: there is nothing to say in it.
func DecodeList(data []byte) (ListRequest, error) {
	if len(data) == 0 {
		return ListRequest{}, nil
	}
	return decode[ListRequest](data)
}

// decode exists because encoding/json takes names in any case and takes the
// last of two: a request that two readers understand differently is refused.
func decode[T any](data []byte) (T, error) {
	var request, none T
	const want = "one JSON object in UTF-8"
	switch {
	case len(data) > MaxRequest:
		return none, refuse("request", strconv.Itoa(len(data)), fmt.Sprintf("at most %d bytes", MaxRequest))
	case len(bytes.TrimSpace(data)) == 0:
		return none, refuse("request", missing, want)
	case !utf8.Valid(data):
		return none, refuse("request", "bytes that are not UTF-8", want)
	}
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		shape := "malformed JSON"
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			shape = fmt.Sprintf("malformed JSON at byte %d", syntax.Offset)
		}
		return none, refuse("request", shape, want)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := decodeObject(dec, reflect.ValueOf(&request).Elem(), ""); err != nil {
		return none, err
	}
	return request, nil
}

// decodeValue reads the value of a field into v. The JSON is known to be well formed.
func decodeValue(dec *json.Decoder, v reflect.Value, field string) error {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		return decodeObject(dec, v.Elem(), field)
	}
	token, err := dec.Token()
	if err != nil {
		return refuse(field, "malformed JSON", "a value")
	}
	switch v.Kind() {
	case reflect.String:
		text, ok := token.(string)
		if !ok {
			return refuse(field, tokenShape(token), "a string")
		}
		v.SetString(text)
	case reflect.Int64:
		number, ok := token.(json.Number)
		if !ok {
			return refuse(field, tokenShape(token), amountWanted)
		}
		n, err := strconv.ParseInt(number.String(), 10, 64)
		switch {
		case errors.Is(err, strconv.ErrRange):
			return refuse(field, "a number that is far too large", amountWanted)
		case err != nil:
			return refuse(field, "a number with a fraction or an exponent", amountWanted)
		}
		v.SetInt(n)
	default: // no request has a field of another kind
		return refuse(field, tokenShape(token), "left out")
	}
	return nil
}

// decodeObject reads an object into the struct v, whose name is field; the
// request itself has none.
func decodeObject(dec *json.Decoder, v reflect.Value, field string) error {
	token, err := dec.Token()
	if token != json.Delim('{') || err != nil {
		name := field
		if name == "" {
			name = "request"
		}
		return refuse(name, tokenShape(token), "a JSON object")
	}
	fields := fieldsByName(v)
	seen := map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return refuse("request", "malformed JSON", "one JSON object in UTF-8")
		}
		path := strings.TrimPrefix(field+"."+name, ".")
		target, ok := fields[name]
		if !ok {
			return NewError(InvalidRequest, "%s is not a field of this request", nameShape(path))
		}
		if seen[name] {
			return NewError(InvalidRequest, "%s appears twice", path)
		}
		seen[name] = true
		if err := decodeValue(dec, target, path); err != nil {
			return err
		}
		if path == "terminal_id" && target.String() == "" {
			return checkTerminal("") // empty is not left out: it names no terminal
		}
	}
	_, err = dec.Token() // the closing brace
	return err
}

// fieldsByName returns the fields of the struct v by their names in JSON.
func fieldsByName(v reflect.Value) map[string]reflect.Value {
	fields := map[string]reflect.Value{}
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		fields[name] = v.Field(i)
	}
	return fields
}

// Limits of a name that nameShape shows.
const (
	maxShownName   = 40
	maxShownDigits = 6 // fewer than any card number, phone number or key has
)

// nameShape shows the name of an unknown field when it looks like one. It may
// be anything: a client that swaps names and values sends a card number here.
func nameShape(name string) string {
	var digits int
	shown := name != "" && len(name) <= maxShownName
	for _, c := range name {
		shown = shown && isOrderChar(c)
		if '0' <= c && c <= '9' {
			digits++
		}
	}
	if !shown || digits > maxShownDigits {
		return fmt.Sprintf("a name of %d characters", utf8.RuneCountInString(name))
	}
	return name
}

func tokenShape(token json.Token) string {
	switch token := token.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case json.Number:
		return "a number"
	case json.Delim:
		if token == '[' {
			return "an array"
		}
		return "an object"
	}
	return "something else"
}
