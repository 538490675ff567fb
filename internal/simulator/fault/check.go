package fault

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/posbridge/bridge/internal/simulator/calls"
)

// common are the fields that every fault takes, besides those of its kind.
var common = []string{"id", "fault", "order_id", "terminal_id", "count", "after"}

// fieldName is what JSON and custom_2 call a field of a Fault.
func fieldName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

// Check tells what is wrong with f.
func (f Fault) Check() error {
	info, ok := kindOf(f.Name)
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
			return fmt.Errorf("fault %s: %s must be %s", f.Name, limit.field, limit.accepted)
		}
	}
	return nil
}

// limit is a bound of a field, and whether a fault breaks it.
type limit struct {
	broken          bool
	field, accepted string
}

func (f Fault) limits(info Kind) []limit {
	return []limit{
		{len(f.ID) > 64, "id", "at most 64 characters"},
		{f.Count < Always || f.Count > maxFaultCount, "count", fmt.Sprintf("1 to %d, or -1 for always", maxFaultCount)},
		{f.After < 0 || f.After > maxFaultCount, "after", fmt.Sprintf("0 to %d", maxFaultCount)},
		{f.Status != 0 && (f.Status < 200 || f.Status > 599), "status", "an HTTP status from 200 to 599"},
		{f.Name == Redirect && f.Status != 0 && f.Status/100 != 3, "status", "an HTTP status from 300 to 399"},
		{f.Delay > MaxDelay || f.Delay < -MaxDelay || (f.Delay < 0 && f.Name != ExpiredToken), "delay", "a duration of at most " + MaxDelay.String()},
		{f.Size < 0 || f.Size > MaxBodySize || (f.Name == HugeEvent && f.Size > maxEventSize), "size", "a number of bytes within the documented limit"},
		{f.Operation != "" && !slices.Contains(calls.Operations(), f.Operation), "operation", "one of create, get, cancel, patch, terminals, receipt, stream"},
		{f.Operation == calls.OpStream && f.Name != Redirect, "operation", "an API operation: event streams have their own faults"},
		{f.Mode != "" && !slices.Contains(info.Modes, f.Mode), "mode", "one of " + strings.Join(info.Modes, ", ")},
		{f.Mode == LoseByStatus && f.Status == 0, "status", "the HTTP status to lose the answer by"},
		{f.Name == LaterStatus && (f.When == "" || len(f.When) > 64), "when", "a status"},
		{f.Name == LaterStatus && (f.Becomes == "" || len(f.Becomes) > 64), "becomes", "a status"},
		{(f.Name == OddAnswer || f.Name == OddEvent) && f.Mode == "", "mode", "one of " + strings.Join(info.Modes, ", ")},
		{f.Mode == OddPatch && !isObject(f.Data), "data", "a JSON object"},
		{strings.ContainsAny(f.RetryAfter+f.URL, "\r\n"), "retry_after and url", "one line"},
	}
}

func isObject(text string) bool {
	var v map[string]any
	return json.Unmarshal([]byte(text), &v) == nil && v != nil
}
