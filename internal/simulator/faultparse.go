package simulator

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// faultPrefix begins a custom_2 that asks for faults.
const faultPrefix = "fault:"

// parseFaults reads the faults that an order asks for in custom_2:
// "fault:drop_stream:after=1 fault:refuse_stream:status=503,count=2". Text
// without the prefix asks for none.
func parseFaults(custom2 string) ([]Fault, error) {
	if !strings.HasPrefix(custom2, faultPrefix) {
		return nil, nil
	}
	var list []Fault
	for _, text := range strings.Fields(custom2) {
		rest, ok := strings.CutPrefix(text, faultPrefix)
		if !ok {
			return nil, fmt.Errorf("want fault:<name>[:<field>=<value>,…], separated by blanks, got %.64q", text)
		}
		name, fields, _ := strings.Cut(rest, ":")
		f := Fault{Name: FaultName(name)}
		for field := range strings.SplitSeq(fields, ",") {
			if field == "" {
				continue
			}
			key, value, _ := strings.Cut(field, "=")
			if err := f.set(key, value); err != nil {
				return nil, err
			}
		}
		if err := f.check(); err != nil {
			return nil, err
		}
		if list = append(list, f); len(list) > maxAskedFaults {
			return nil, fmt.Errorf("want at most %d faults for one order", maxAskedFaults)
		}
	}
	return list, nil
}

// common are the fields that every fault takes, besides those of its kind.
var common = []string{"id", "fault", "order_id", "terminal_id", "count", "after"}

// fieldName is what JSON and custom_2 call a field of a Fault.
func fieldName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
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

// check tells what is wrong with f.
func (f Fault) check() error {
	info, ok := faultKind(f.Name)
	if !ok {
		return fmt.Errorf("unknown fault %.64q; GET /simulator/fault-kinds lists them", f.Name)
	}
	fields := reflect.ValueOf(f)
	for i := range fields.NumField() {
		name := fieldName(fields.Type().Field(i))
		if !fields.Field(i).IsZero() && !slices.Contains(common, name) && !slices.Contains(info.Fields, name) {
			return fmt.Errorf("fault %s takes no field %s", f.Name, name)
		}
	}
	for _, limit := range f.limits(info) {
		if limit.broken {
			return fmt.Errorf("fault %s: %s: want %s", f.Name, limit.field, limit.want)
		}
	}
	return nil
}

// limit is a bound of a field, and whether a fault breaks it.
type limit struct {
	broken      bool
	field, want string
}

func (f Fault) limits(info FaultInfo) []limit {
	return []limit{
		{len(f.ID) > 64, "id", "at most 64 characters"},
		{f.Count < Always || f.Count > maxFaultCount, "count", fmt.Sprintf("1 to %d, or -1 for always", maxFaultCount)},
		{f.After < 0 || f.After > maxFaultCount, "after", fmt.Sprintf("0 to %d", maxFaultCount)},
		{f.Status != 0 && (f.Status < 200 || f.Status > 599), "status", "an HTTP status from 200 to 599"},
		{f.Name == FaultRedirect && f.Status != 0 && f.Status/100 != 3, "status", "one from 300 to 399"},
		{f.Delay > maxDelay || f.Delay < -maxDelay || (f.Delay < 0 && f.Name != FaultExpiredToken), "delay", "a duration of at most " + maxDelay.String()},
		{f.Size < 0 || f.Size > maxBodySize || (f.Name == FaultHugeEvent && f.Size > maxEventSize), "size", "a number of bytes within the documented limit"},
		{f.Operation != "" && !slices.Contains(Operations(), f.Operation), "operation", "one of create, get, cancel, patch, terminals, receipt, stream"},
		{f.Operation == OpStream && f.Name != FaultRedirect, "operation", "one of the API's; streams have faults of their own"},
		{f.Mode != "" && !slices.Contains(info.Modes, f.Mode), "mode", strings.Join(info.Modes, ", ")},
		{f.Mode == LoseByStatus && f.Status == 0, "status", "the HTTP status to lose the answer by"},
		{f.Name == FaultLaterStatus && (f.When == "" || len(f.When) > 64), "when", "a status"},
		{f.Name == FaultLaterStatus && (f.Becomes == "" || len(f.Becomes) > 64), "becomes", "a status"},
		{(f.Name == FaultOddAnswer || f.Name == FaultOddEvent) && f.Mode == "", "mode", strings.Join(info.Modes, ", ")},
		{f.Mode == oddPatch && !isObject(f.Data), "data", "a JSON object"},
		{strings.ContainsAny(f.RetryAfter+f.URL, "\r\n"), "retry_after and url", "one line"},
	}
}
