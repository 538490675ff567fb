package till

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/subjects"
)

// Environment variables that the settings are read from. They are those of
// "pos-bridge serve".
const (
	EnvURL    = "BRIDGE_NATS_URL"
	EnvCreds  = "BRIDGE_NATS_CREDS_FILE"
	EnvNKey   = "BRIDGE_NATS_NKEY_FILE"
	EnvCA     = "BRIDGE_NATS_CA_FILE"
	EnvCert   = "BRIDGE_NATS_CERT_FILE"
	EnvKey    = "BRIDGE_NATS_KEY_FILE"
	EnvFirst  = "BRIDGE_NATS_TLS_FIRST"
	EnvDomain = "BRIDGE_NATS_JS_DOMAIN"
	EnvPrefix = "BRIDGE_SUBJECT_PREFIX"
)

// DefaultURL is the server that is used when nothing says otherwise.
const DefaultURL = "nats://127.0.0.1:4222"

// Settings say where the bus is and as whom to connect to it. They are made by
// LoadSettings. Secrets in them are never formatted.
type Settings struct {
	// Space holds the bridge's subjects.
	Space subjects.Space
	// Context is the name of the nats CLI context that the settings are from,
	// empty when they are from the environment.
	Context string

	contextFile string        // of Context
	servers     string        // comma separated, may carry user and password
	api         string        // first tokens of the JetStream API
	options     []nats.Option // authentication and TLS
}

// LoadSettings reads the settings from one place: the nats CLI context that is
// named, else the BRIDGE_NATS_ variables when one of them is set, else the
// selected nats CLI context, else DefaultURL without authentication. The
// subject prefix always comes from the environment. The error is a
// *SettingError.
func LoadSettings(getenv func(string) string, context string) (Settings, error) {
	prefix := getenv(EnvPrefix)
	if prefix == "" {
		prefix = subjects.DefaultPrefix
	}
	space, err := subjects.New(prefix)
	if err != nil {
		return Settings{}, &SettingError{EnvPrefix, err.Error()}
	}
	s := Settings{Space: space, servers: DefaultURL, api: apiOf("")}
	store := contextStore{getenv: getenv}
	switch {
	case context != "":
		err = s.fromContext(store, context)
	case anySet(getenv, EnvURL, EnvCreds, EnvNKey, EnvCA, EnvCert, EnvKey, EnvFirst, EnvDomain):
		err = s.fromEnvironment(getenv)
	default:
		if context = store.selected(); context != "" {
			err = s.fromContext(store, context)
		}
	}
	if err != nil {
		return Settings{}, err
	}
	return s, nil
}

// apiOf returns the first tokens of the JetStream API of a domain; empty is the
// server's own.
func apiOf(domain string) string {
	api := strings.TrimSuffix(jetstream.DefaultAPIPrefix, ".")
	if domain != "" {
		api = strings.Replace(api, ".", "."+domain+".", 1)
	}
	return api
}

func anySet(getenv func(string) string, names ...string) bool {
	for _, name := range names {
		if getenv(name) != "" {
			return true
		}
	}
	return false
}

func (s *Settings) fromEnvironment(getenv func(string) string) error {
	if servers := getenv(EnvURL); servers != "" {
		if err := checkServers(EnvURL, servers); err != nil {
			return err
		}
		s.servers = servers
	}
	if getenv(EnvCreds) != "" && getenv(EnvNKey) != "" {
		return &SettingError{EnvNKey, "and " + EnvCreds + " exclude each other: set one"}
	}
	if file := getenv(EnvCreds); file != "" {
		if err := checkFile(EnvCreds, file); err != nil {
			return err
		}
		s.options = append(s.options, nats.UserCredentials(file))
	}
	if file := getenv(EnvNKey); file != "" {
		option, err := nkeyOption(EnvNKey, file)
		if err != nil {
			return err
		}
		s.options = append(s.options, option)
	}
	switch strings.ToLower(getenv(EnvFirst)) {
	case "", "false":
	case "true":
		s.options = append(s.options, nats.TLSHandshakeFirst())
	default:
		return &SettingError{EnvFirst, "must be true or false"}
	}
	if s.api = apiOf(getenv(EnvDomain)); !isAPI(s.api) {
		return &SettingError{EnvDomain, "must be one token without spaces and wildcards"}
	}
	if first, err := url.Parse(strings.TrimSpace(strings.Split(s.servers, ",")[0])); err == nil && strings.HasPrefix(first.Scheme, "ws") && first.Path != "" {
		s.options = append(s.options, nats.ProxyPath(first.Path))
	}
	return s.useTLS(EnvCA, getenv(EnvCA), EnvCert, getenv(EnvCert), EnvKey, getenv(EnvKey))
}

// fromContext takes the connection's settings from the context name. The library
// reads the file again when it connects.
func (s *Settings) fromContext(store contextStore, name string) error {
	found, path, err := store.read(name)
	if err != nil {
		return err
	}
	field := func(field string) string { return "nats context " + name + ", field " + field }
	if err := found.check(field); err != nil {
		return err
	}
	s.Context, s.contextFile = name, path
	if found.URL != "" {
		s.servers = found.URL
	}
	switch {
	case found.JSAPIPrefix != "":
		s.api = strings.TrimSuffix(found.JSAPIPrefix, ".")
	case found.JSDomain != "":
		s.api = apiOf(found.JSDomain)
	}
	if !isAPI(s.api) {
		return &SettingError{field("jetstream_domain"), "must be a subject without spaces and wildcards"}
	}
	return nil
}

// useTLS adds the TLS files. Each comes with the name of its setting.
func (s *Settings) useTLS(caName, ca, certName, cert, keyName, key string) error {
	if ca != "" {
		if err := checkFile(caName, ca); err != nil {
			return err
		}
		if err := nats.RootCAs(ca)(&nats.Options{}); err != nil {
			return &SettingError{caName, "must be a PEM file with certificates of authorities"}
		}
		s.options = append(s.options, nats.RootCAs(ca))
	}
	switch {
	case cert == "" && key == "":
		return nil
	case key == "":
		return &SettingError{keyName, "is missing, since " + certName + " is set"}
	case cert == "":
		return &SettingError{certName, "is missing, since " + keyName + " is set"}
	}
	if err := errors.Join(checkFile(certName, cert), checkFile(keyName, key)); err != nil {
		return err
	}
	if err := nats.ClientCert(cert, key)(&nats.Options{}); err != nil {
		return &SettingError{certName, "must be a PEM certificate that belongs to the key in " + keyName}
	}
	s.options = append(s.options, nats.ClientCert(cert, key))
	return nil
}

// Server is where the settings lead, without user names and passwords.
func (s Settings) Server() string {
	servers := strings.Split(s.servers, ",")
	for i, server := range servers {
		servers[i] = withoutUser(strings.TrimSpace(server))
	}
	return strings.Join(servers, ",")
}

// String hides everything but the server, the prefix and the context.
func (s Settings) String() string {
	return fmt.Sprintf("server %s, prefix %s, context %q", s.Server(), s.Space.Prefix(), s.Context)
}

// GoString is String, so that no verb prints what is secret.
func (s Settings) GoString() string { return s.String() }

func withoutUser(server string) string {
	scheme, rest, ok := strings.Cut(server, "://")
	if !ok {
		scheme, rest = "nats", server
	}
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		rest = rest[at+1:]
	}
	return scheme + "://" + Printable(rest, maxShown)
}

// nkeyOption reads the seed once, so that a wrong file is found before any
// connection is tried. The error never carries what was read.
func nkeyOption(name, file string) (nats.Option, error) {
	if err := checkFile(name, file); err != nil {
		return nil, err
	}
	option, err := nats.NkeyOptionFromSeed(file)
	if err != nil {
		return nil, &SettingError{name, "must be a file with the seed of a user nkey (SU…)"}
	}
	return option, nil
}
