package till

import (
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/synadia-io/orbit.go/natscontext"
)

// natsContext has the fields of a nats CLI context that are looked at before the
// library connects with it: it takes some as they are that mean something else to
// the nats CLI, and to follow nsc it would run another program.
type natsContext struct {
	natscontext.Settings

	UserSeed string `json:"user_seed"`
}

// maxContextFile bounds a context's file, in bytes.
const maxContextFile = 1 << 20

// contextStore is the folder in which the nats CLI keeps its contexts.
type contextStore struct{ getenv func(string) string }

// dir is $XDG_CONFIG_HOME/nats, else ~/.config/nats, and empty when there is no
// home.
func (c contextStore) dir() string {
	root := c.getenv("XDG_CONFIG_HOME")
	if root == "" {
		home := c.getenv("HOME")
		if home == "" {
			return ""
		}
		root = filepath.Join(home, ".config")
	}
	return filepath.Join(root, "nats")
}

// selected is the context that "nats context select" chose; empty if none.
func (c contextStore) selected() string {
	dir := c.dir()
	if dir == "" {
		return ""
	}
	name, err := os.ReadFile(filepath.Join(dir, "context.txt"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(name))
}

// ContextNames lists the nats CLI contexts of this user, sorted.
func ContextNames(getenv func(string) string) []string {
	dir := contextStore{getenv}.dir()
	if dir == "" {
		return nil
	}
	entries, err := os.ReadDir(filepath.Join(dir, "context"))
	if err != nil {
		return nil
	}
	var names []string
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), ".json")
		if ok && !entry.IsDir() && validContextName(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func validContextName(name string) bool {
	return name != "" && !strings.ContainsAny(name, `./\`) && Printable(name, len(name)) == name
}

// read returns the context of a name and the absolute path of its file.
func (c contextStore) read(name string) (found natsContext, path string, err error) {
	setting := "nats context " + Printable(name, maxShown)
	if !validContextName(name) {
		return found, "", &SettingError{setting, "must be the name of a context, see \"nats context ls\""}
	}
	dir := c.dir()
	if dir == "" {
		return found, "", &SettingError{setting, "there is no home folder to look for it in; set XDG_CONFIG_HOME"}
	}
	if path, err = filepath.Abs(filepath.Join(dir, "context", name+".json")); err != nil {
		return found, "", &SettingError{setting, err.Error()}
	}
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxContextFile {
		err = errors.New("the file is too large")
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(path)
	}
	if errors.Is(err, os.ErrNotExist) {
		return found, "", &SettingError{setting, "there is no " + Printable(path, maxShown) + "; see \"nats context ls\""}
	}
	if err != nil {
		return found, "", &SettingError{setting, fileProblem(path, err)}
	}
	if err := json.Unmarshal(data, &found); err != nil { // its text may quote a secret
		return found, "", &SettingError{setting, Printable(path, maxShown) + " is not a context: it must be one JSON object of the nats CLI's fields"}
	}
	return found, path, nil
}

// check refuses what the library cannot use, or would use without a word in
// another way than the nats CLI.
func (c natsContext) check(field func(string) string) error {
	switch {
	case c.NSCLookup != "":
		return &SettingError{field("nsc"), "is not supported: name the credentials' file in creds"}
	case c.WinCertStoreType != "":
		return &SettingError{field("windows_cert_store"), "is not supported: name the files in cert, key and ca"}
	case c.UserJwt != "" || c.UserSeed != "":
		return &SettingError{field("user_jwt"), "is not supported: put it into a credentials file and name that in creds"}
	case (c.Cert == "") != (c.Key == ""):
		return &SettingError{field("cert"), "and key go together: name both files"}
	}
	for _, ref := range []struct{ name, value string }{{"token", c.Token}, {"user", c.User}, {"password", c.Password}} {
		if scheme := schemeOf(ref.value); scheme != "" {
			return &SettingError{field(ref.name), "references of the kind " + scheme + " are not supported: write the value itself"}
		}
	}
	for _, ref := range []struct{ name, value string }{
		{"creds", os.ExpandEnv(c.Creds)}, {"nkey", c.NKey}, {"cert", c.Cert}, {"key", c.Key}, {"ca", c.CA},
	} {
		if scheme := schemeOf(ref.value); scheme != "" {
			return &SettingError{field(ref.name), "references of the kind " + scheme + " are not supported: write the path of a file"}
		}
		if ref.value != "" {
			if err := checkFile(field(ref.name), inHome(ref.value)); err != nil {
				return err
			}
		}
	}
	if c.URL != "" {
		if err := checkServers(field("url"), c.URL); err != nil {
			return err
		}
	}
	if c.InboxPrefix != "" && nats.CustomInboxPrefix(c.InboxPrefix)(&nats.Options{}) != nil {
		return &SettingError{field("inbox_prefix"), "must be a subject without wildcards and without a dot at its end"}
	}
	if u, err := url.Parse(c.SocksProxy); c.SocksProxy != "" && (err != nil || u.Scheme != "socks5" && u.Scheme != "socks5h" || u.Host == "") {
		return &SettingError{field("socks_proxy"), "must be socks5://host:port"}
	}
	return nil
}

// schemeOf returns the scheme of a reference that the nats CLI follows, else "".
func schemeOf(ref string) string {
	for _, scheme := range []string{"file://", "env://", "op://", "nsc://", "data:"} {
		if len(ref) >= len(scheme) && strings.EqualFold(ref[:len(scheme)], scheme) {
			return scheme
		}
	}
	return ""
}

// inHome expands a ~ at the beginning of a path as the library does.
func inHome(path string) string {
	rest, ok := strings.CutPrefix(path, "~")
	if u, err := user.Current(); ok && err == nil {
		return u.HomeDir + rest
	}
	return path
}
