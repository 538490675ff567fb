package till

import (
	"errors"
	"net/url"
	"os"
	"strings"
)

// SettingError is a setting that cannot be used. Name is the variable, flag or
// field that holds it; Problem says what is wrong and what it takes.
type SettingError struct {
	Name    string
	Problem string
}

func (e *SettingError) Error() string { return e.Name + ": " + e.Problem }

// isAPI reports whether subjects can begin so.
func isAPI(api string) bool {
	return Printable(api, len(api)) == api && !strings.ContainsAny(api, " *>")
}

// checkServers refuses what nats.go would refuse later with the whole URL,
// password included, in its error.
func checkServers(name, servers string) error {
	for server := range strings.SplitSeq(servers, ",") {
		server = strings.TrimSpace(server)
		if !strings.Contains(server, "://") {
			server = "nats://" + server
		}
		u, err := url.Parse(server)
		if err != nil || u.Hostname() == "" {
			return &SettingError{name, "must be NATS servers such as nats://host:4222, comma separated"}
		}
		switch u.Scheme {
		case "nats", "tls", "ws", "wss":
		default:
			return &SettingError{name, "must be servers that begin with nats://, tls://, ws:// or wss://"}
		}
	}
	return nil
}

func checkFile(name, path string) error {
	info, err := os.Stat(path) // before opening: that of a pipe would wait
	if err == nil && !info.Mode().IsRegular() {
		return &SettingError{name, "must be a readable file: " + Printable(path, maxShown) + " is not a plain file"}
	}
	if err == nil {
		var f *os.File
		if f, err = os.Open(path); err == nil {
			_ = f.Close() // only looked at
		}
	}
	if err != nil {
		return &SettingError{name, "must be a readable file: " + fileProblem(path, err)}
	}
	return nil
}

func fileProblem(path string, err error) string {
	problem := err
	if pathError, ok := errors.AsType[*os.PathError](err); ok {
		problem = pathError.Err
	}
	return Printable(path, maxShown) + ": " + problem.Error()
}
