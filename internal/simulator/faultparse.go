package simulator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

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

// set gives a field the value that an order's custom_2 names.
func (f *Fault) set(key, value string) (err error) {
	switch key {
	case "operation":
		f.Operation = Operation(value)
	case "count":
		f.Count, err = strconv.Atoi(value)
	case "after":
		f.After, err = strconv.Atoi(value)
	case "status":
		f.Status, err = strconv.Atoi(value)
	case "error_code":
		f.ErrorCode, err = strconv.Atoi(value)
	case "error_info":
		f.ErrorInfo = value
	case "retry_after":
		f.RetryAfter = value
	case "delay":
		f.Delay, err = time.ParseDuration(value)
	case "mode":
		f.Mode = value
	case "not_made":
		f.NotMade, err = flag(value)
	case "clean":
		f.Clean, err = flag(value)
	case "late":
		f.Late, err = flag(value)
	case "url":
		f.URL = value
	case "data":
		f.Data = value
	case "size":
		f.Size, err = strconv.Atoi(value)
	default:
		return fmt.Errorf("fault %s: unknown field %.64q", f.Name, key)
	}
	if err != nil {
		return fmt.Errorf("fault %s: %s: cannot read %.64q", f.Name, key, value)
	}
	return nil
}

// flag reads true or false; a field without a value is true.
func flag(value string) (bool, error) {
	if value == "" {
		return true, nil
	}
	return strconv.ParseBool(value)
}

// check tells what is wrong with f.
func (f Fault) check() error {
	info, ok := faultKind(f.Name)
	if !ok {
		return fmt.Errorf("unknown fault %.64q; GET /simulator/fault-kinds lists them", f.Name)
	}
	wrong := func(field, want string) error { return fmt.Errorf("fault %s: %s: want %s", f.Name, field, want) }
	for field, isSet := range map[string]bool{
		"status": f.Status != 0, "error_code": f.ErrorCode != 0, "error_info": f.ErrorInfo != "",
		"retry_after": f.RetryAfter != "", "delay": f.Delay != 0, "mode": f.Mode != "",
		"not_made": f.NotMade, "clean": f.Clean, "late": f.Late, "url": f.URL != "",
		"data": f.Data != "", "size": f.Size != 0, "operation": f.Operation != "",
	} {
		if isSet && !slices.Contains(info.Fields, field) {
			return fmt.Errorf("fault %s takes no field %s", f.Name, field)
		}
	}
	switch {
	case len(f.ID) > 64:
		return wrong("id", "at most 64 characters")
	case f.Count < Always || f.Count > maxFaultCount:
		return wrong("count", fmt.Sprintf("1 to %d, or -1 for always", maxFaultCount))
	case f.After < 0 || f.After > maxFaultCount:
		return wrong("after", fmt.Sprintf("0 to %d", maxFaultCount))
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return wrong("status", "an HTTP status from 200 to 599")
	case f.Name == FaultRedirect && f.Status != 0 && (f.Status < 300 || f.Status > 399):
		return wrong("status", "one from 300 to 399")
	case f.Delay > maxDelay || f.Delay < -maxDelay || (f.Delay < 0 && f.Name != FaultExpiredToken):
		return wrong("delay", "a duration of at most "+maxDelay.String())
	case f.Size < 0 || f.Size > maxBodySize || (f.Name == FaultHugeEvent && f.Size > maxEventSize):
		return wrong("size", "a number of bytes within the documented limit")
	case f.Operation != "" && !slices.Contains(Operations(), f.Operation):
		return wrong("operation", "one of create, get, cancel, patch, terminals, receipt, stream")
	case f.Operation == OpStream && f.Name != FaultRedirect:
		return wrong("operation", "one of the API's; streams have faults of their own")
	case f.Mode != "" && !slices.Contains(info.Modes, f.Mode):
		return wrong("mode", strings.Join(info.Modes, ", "))
	case f.Mode == LoseByStatus && f.Status == 0:
		return wrong("status", "the HTTP status to lose the answer by")
	case strings.ContainsAny(f.RetryAfter+f.URL, "\r\n"):
		return wrong("retry_after and url", "one line")
	}
	return nil
}
