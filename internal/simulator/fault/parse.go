package fault

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// prefix begins a custom_2 that asks for faults.
const prefix = "fault:"

// Parse reads the faults that an order asks for in custom_2:
// "fault:drop_stream:after=1 fault:refuse_stream:status=503,count=2". Text
// without the prefix asks for none.
func Parse(custom2 string) ([]Fault, error) {
	if !strings.HasPrefix(custom2, prefix) {
		return nil, nil
	}
	var list []Fault
	for _, text := range strings.Fields(custom2) {
		rest, ok := strings.CutPrefix(text, prefix)
		if !ok {
			return nil, fmt.Errorf("a fault must be fault:<name>[:<field>=<value>,…], several with spaces between; got %.64q", text)
		}
		name, fields, _ := strings.Cut(rest, ":")
		f := Fault{Name: Name(name)}
		for field := range strings.SplitSeq(fields, ",") {
			if field == "" {
				continue
			}
			key, value, _ := strings.Cut(field, "=")
			if err := f.set(key, value); err != nil {
				return nil, err
			}
		}
		if err := f.Check(); err != nil {
			return nil, err
		}
		if list = append(list, f); len(list) > maxAskedFaults {
			return nil, fmt.Errorf("there must be at most %d faults for one order", maxAskedFaults)
		}
	}
	return list, nil
}

// set gives a field the value that an order's custom_2 names.
func (f *Fault) set(key, value string) error {
	fields := reflect.ValueOf(f).Elem()
	for i := range fields.NumField() {
		if fieldName(fields.Type().Field(i)) != key || key == "id" || key == "fault" || strings.HasSuffix(key, "_id") {
			continue
		}
		if err := setValue(fields.Field(i), value); err != nil {
			return fmt.Errorf("fault %s: %s: cannot read %.64q", f.Name, key, value)
		}
		return nil
	}
	return fmt.Errorf("fault %s: unknown field %.64q", f.Name, key)
}

// setValue reads text into v. A flag without a value is true.
func setValue(v reflect.Value, text string) error {
	switch into := v.Addr().Interface().(type) {
	case *time.Duration:
		d, err := time.ParseDuration(text)
		*into = d
		return err
	case *int:
		n, err := strconv.Atoi(text)
		*into = n
		return err
	case *bool:
		if text == "" {
			text = "true"
		}
		yes, err := strconv.ParseBool(text)
		*into = yes
		return err
	}
	v.SetString(text)
	return nil
}
