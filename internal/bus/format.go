package bus

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"strings"
)

// format is that of the sessions and records that this version writes, and the
// newest that it goes on with. Replicas of several versions work side by side
// during an update, and after one that was taken back, so what stands on the bus
// only ever gains fields. One that is missing is its zero value. One that is
// unknown is ignored, and written back as it was found: it has to tell by itself
// when it is out of date. What a replica that does not know it must not touch (for
// one, a session whose request it would carry out by halves) says a higher format:
// such a session stays in the queue, and such a record as it is, until a replica
// comes that knows it. 0 is the first.
const format = 0

// ErrNewer tells of a session or record of a newer format than this version knows.
var ErrNewer = errors.New("a newer version of the bridge wrote it, and only that can go on with it")

// rest is the fields of a JSON object that this version does not know.
type rest map[string]json.RawMessage

// readWithRest reads an object into a struct, and what that has no field for into
// the rest. It reads on after a field that does not fit, as encoding/json does.
func readWithRest(data []byte, object any) (rest, error) {
	strict := json.NewDecoder(bytes.NewReader(data))
	strict.DisallowUnknownFields()
	if strict.Decode(object) == nil {
		return nil, nil // nearly always
	}
	err := json.Unmarshal(data, object)
	var r rest
	if json.Unmarshal(data, &r) != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, field := range reflect.VisibleFields(reflect.TypeOf(object).Elem()) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		known[name] = true
	}
	maps.DeleteFunc(r, func(name string, _ json.RawMessage) bool { return known[strings.ToLower(name)] })
	if len(r) == 0 {
		return nil, err
	}
	return r, err
}

// writeWithRest is the inverse of readWithRest.
func writeWithRest(object any, r rest) ([]byte, error) {
	body, err := json.Marshal(object)
	if err != nil || len(r) == 0 {
		return body, err
	}
	more, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return append(append(body[:len(body)-1], ','), more[1:]...), nil
}
