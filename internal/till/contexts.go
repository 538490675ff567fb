package till

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"golang.org/x/net/proxy"
)

// natsContext is the JSON file of a nats CLI context, as far as it matters for
// connecting. The library that writes these files
// (github.com/nats-io/jsm.go/natscontext) is not used: it would bring some
// twenty modules to every user of this one, and it runs other programs to find
// a secret.
type natsContext struct {
	URL         string `json:"url"`
	SocksProxy  string `json:"socks_proxy"`
	Token       string `json:"token"`
	User        string `json:"user"`
	Password    string `json:"password"`
	Creds       string `json:"creds"`
	NKey        string `json:"nkey"`
	UserJWT     string `json:"user_jwt"`
	UserSeed    string `json:"user_seed"`
	Cert        string `json:"cert"`
	Key         string `json:"key"`
	CA          string `json:"ca"`
	JSDomain    string `json:"jetstream_domain"`
	JSAPIPrefix string `json:"jetstream_api_prefix"`
	InboxPrefix string `json:"inbox_prefix"`
	TLSFirst    bool   `json:"tls_first"`
	// NSC and WinCertStore are known but not supported.
	NSC          string `json:"nsc"`
	WinCertStore string `json:"windows_cert_store"`
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
		home := c.home()
		if home == "" {
			return ""
		}
		root = filepath.Join(home, ".config")
	}
	return filepath.Join(root, "nats")
}

func (c contextStore) home() string {
	if home := c.getenv("HOME"); home != "" {
		return home
	}
	return c.getenv("USERPROFILE")
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

func (c contextStore) read(name string) (natsContext, error) {
	setting := "nats context " + Printable(name, maxShown)
	if !validContextName(name) {
		return natsContext{}, &SettingError{setting, "want the name of a context, see \"nats context ls\""}
	}
	dir := c.dir()
	if dir == "" {
		return natsContext{}, &SettingError{setting, "there is no home folder to look for it in; set XDG_CONFIG_HOME"}
	}
	path := filepath.Join(dir, "context", name+".json")
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxContextFile {
		err = errors.New("the file is too large")
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(path)
	}
	if errors.Is(err, os.ErrNotExist) {
		return natsContext{}, &SettingError{setting, "there is no " + Printable(path, maxShown) + "; see \"nats context ls\""}
	}
	if err != nil {
		return natsContext{}, &SettingError{setting, fileProblem(path, err)}
	}
	var found natsContext
	if err := json.Unmarshal(data, &found); err != nil { // its text may quote a secret
		return natsContext{}, &SettingError{setting, Printable(path, maxShown) + " is not a context: want one JSON object of the nats CLI's fields"}
	}
	return found, nil
}

// fromContext takes the connection's settings from the context name.
func (s *Settings) fromContext(store contextStore, name string) error {
	found, err := store.read(name)
	if err != nil {
		return err
	}
	s.Context = name
	field := func(field string) string { return "nats context " + name + ", field " + field }
	switch {
	case found.NSC != "":
		return &SettingError{field("nsc"), "not supported: name the credentials' file in creds"}
	case found.WinCertStore != "":
		return &SettingError{field("windows_cert_store"), "not supported: name the files in cert, key and ca"}
	}
	if found.URL != "" {
		if err := checkServers(field("url"), found.URL); err != nil {
			return err
		}
		s.servers = found.URL
	}
	switch {
	case found.JSAPIPrefix != "":
		s.api = strings.TrimSuffix(found.JSAPIPrefix, ".")
	case found.JSDomain != "":
		s.api = "$JS." + found.JSDomain + ".API"
	}
	if Printable(s.api, len(s.api)) != s.api || strings.ContainsAny(s.api, " *>") {
		return &SettingError{field("jetstream_domain"), "want a subject without blanks and wildcards"}
	}
	if err := s.authenticate(store, found, field); err != nil {
		return err
	}
	var files [3]string
	for i, ref := range []struct{ name, value string }{{"ca", found.CA}, {"cert", found.Cert}, {"key", found.Key}} {
		if files[i], err = store.path(field(ref.name), ref.value); err != nil {
			return err
		}
	}
	if err := s.useTLS(field("ca"), files[0], field("cert"), files[1], field("key"), files[2]); err != nil {
		return err
	}
	if found.InboxPrefix != "" {
		option := nats.CustomInboxPrefix(found.InboxPrefix)
		if err := option(&nats.Options{}); err != nil {
			return &SettingError{field("inbox_prefix"), "want a subject without wildcards and without a dot at its end"}
		}
		s.options = append(s.options, option)
	}
	if found.TLSFirst {
		s.options = append(s.options, nats.TLSHandshakeFirst())
	}
	if found.SocksProxy != "" {
		dialer, err := socksDialer(found.SocksProxy)
		if err != nil {
			return &SettingError{field("socks_proxy"), "want socks5://host:port"}
		}
		s.options = append(s.options, nats.SetCustomDialer(dialer))
	}
	return nil
}

// authenticate follows the order in which the nats CLI looks at the fields.
func (s *Settings) authenticate(store contextStore, found natsContext, field func(string) string) error {
	switch {
	case found.User != "":
		password, err := store.secret(field("password"), found.Password)
		if err != nil {
			return err
		}
		s.options = append(s.options, nats.UserInfo(found.User, password))
	case found.Creds != "":
		return s.useCreds(store, field("creds"), found.Creds)
	case found.NKey != "":
		return s.useNKey(store, field("nkey"), found.NKey)
	case found.UserJWT != "":
		jwt, err := store.secret(field("user_jwt"), found.UserJWT)
		if err != nil {
			return err
		}
		if found.UserSeed == "" { // a bearer token: the server asks for no signature
			s.options = append(s.options, nats.UserJWT(
				func() (string, error) { return jwt, nil },
				func([]byte) ([]byte, error) { return nil, nil }))
			break
		}
		seed, err := store.secret(field("user_seed"), found.UserSeed)
		if err != nil {
			return err
		}
		if _, err := nkeys.FromSeed([]byte(seed)); err != nil {
			return &SettingError{field("user_seed"), "want the seed of a user nkey (SU…)"}
		}
		s.options = append(s.options, nats.UserJWTAndSeed(jwt, seed))
	}
	if found.Token != "" {
		token, err := store.secret(field("token"), found.Token)
		if err != nil {
			return err
		}
		s.options = append(s.options, nats.Token(token))
	}
	return nil
}

func (s *Settings) useCreds(store contextStore, name, ref string) error {
	if scheme := schemeOf(ref); scheme == "" || scheme == "file" {
		path, err := store.path(name, ref)
		if err != nil {
			return err
		}
		if err := checkFile(name, path); err != nil {
			return err
		}
		s.options = append(s.options, nats.UserCredentials(path))
		return nil
	}
	content, err := store.secret(name, ref)
	if err != nil {
		return err
	}
	s.options = append(s.options, nats.UserCredentialBytes([]byte(content)))
	return nil
}

func (s *Settings) useNKey(store contextStore, name, ref string) error {
	if scheme := schemeOf(ref); scheme == "" || scheme == "file" {
		path, err := store.path(name, ref)
		if err != nil {
			return err
		}
		option, err := nkeyOption(name, path)
		if err != nil {
			return err
		}
		s.options = append(s.options, option)
		return nil
	}
	content, err := store.secret(name, ref)
	if err != nil {
		return err
	}
	pair, err := nkeys.ParseDecoratedUserNKey([]byte(content))
	if err != nil {
		return &SettingError{name, "want the seed of a user nkey (SU…)"}
	}
	public, err := pair.PublicKey()
	if err != nil {
		return &SettingError{name, "want the seed of a user nkey (SU…)"}
	}
	s.options = append(s.options, nats.Nkey(public, pair.Sign))
	return nil
}

// path is the file that a context's field refers to, with ~ and variables
// expanded as the nats CLI does.
func (c contextStore) path(name, ref string) (string, error) {
	if ref == "" {
		return "", nil
	}
	if scheme := schemeOf(ref); scheme != "" && scheme != "file" {
		return "", &SettingError{name, fmt.Sprintf("want a file, not a reference of the kind %q", scheme)}
	}
	if len(ref) >= 7 && strings.EqualFold(ref[:7], "file://") {
		ref = ref[7:]
	}
	ref = os.Expand(ref, c.getenv)
	if rest, ok := strings.CutPrefix(ref, "~"); ok && c.home() != "" {
		ref = c.home() + rest
	}
	return ref, nil
}

// secret is what a field's value stands for: itself, or what a reference to a
// file, a variable or inline data leads to. References that need another
// program (op://, nsc://) are refused.
func (c contextStore) secret(name, ref string) (string, error) {
	switch scheme := schemeOf(ref); scheme {
	case "file":
		path, err := c.path(name, ref)
		if err != nil {
			return "", err
		}
		if err := checkFile(name, path); err != nil {
			return "", err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return "", &SettingError{name, fileProblem(path, err)}
		}
		return strings.TrimRight(string(content), "\r\n"), nil
	case "env":
		value := c.getenv(ref[len("env://"):])
		if value == "" {
			return "", &SettingError{name, "the variable that it names is not set"}
		}
		return value, nil
	case "data":
		header, payload, ok := strings.Cut(ref[len("data:"):], ",")
		if ok && slices.Contains(strings.Split(header, ";"), "base64") {
			if content, err := base64.StdEncoding.DecodeString(payload); err == nil {
				return strings.TrimRight(string(content), "\r\n"), nil
			}
		}
		return "", &SettingError{name, "want data:;base64,…"}
	case "op", "nsc":
		return "", &SettingError{name, fmt.Sprintf("references of the kind %s:// are not supported: use a file, env:// or data:", scheme)}
	}
	return ref, nil
}

// schemeOf returns the scheme of a reference that the nats CLI knows, else "".
func schemeOf(ref string) string {
	for _, scheme := range []string{"file", "env", "op", "nsc"} {
		if prefix := scheme + "://"; len(ref) >= len(prefix) && strings.EqualFold(ref[:len(prefix)], prefix) {
			return scheme
		}
	}
	if len(ref) >= 5 && strings.EqualFold(ref[:5], "data:") {
		return "data"
	}
	return ""
}

func socksDialer(address string) (nats.CustomDialer, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	return proxy.FromURL(u, &net.Dialer{Timeout: connectLimit})
}
