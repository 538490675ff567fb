package till_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nkeys"

	"github.com/posbridge/bridge/internal/till"
)

// env is an environment for LoadSettings.
type env map[string]string

func (e env) get(name string) string { return e[name] }

// home is a home folder with nats CLI contexts in it.
func home(t *testing.T, contexts map[string]string, selected string) env {
	t.Helper()
	dir := t.TempDir()
	folder := filepath.Join(dir, "nats", "context")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range contexts {
		writeFile(t, filepath.Join(folder, name+".json"), content)
	}
	if selected != "" {
		writeFile(t, filepath.Join(dir, "nats", "context.txt"), selected+"\n")
	}
	return env{"XDG_CONFIG_HOME": dir}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func userSeed(t *testing.T) (seed, public string) {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	if public, err = pair.PublicKey(); err != nil {
		t.Fatal(err)
	}
	return string(raw), public
}

func TestSettingsComeFromOnePlace(t *testing.T) {
	t.Parallel()
	contexts := map[string]string{
		"shop":  `{"description":"a shop","url":"nats://shop:4222"}`,
		"other": `{"url":"tls://a:1, tls://b:2"}`,
		"empty": `{}`,
	}
	for name, test := range map[string]struct {
		selected, context string
		env               env
		want              string
	}{
		"nothing set":                   {"", "", nil, `server nats://127.0.0.1:4222, prefix pos, context ""`},
		"a URL":                         {"", "", env{till.EnvURL: "nats://h:1,h2:2"}, `server nats://h:1,nats://h2:2, prefix pos, context ""`},
		"a URL before the selected":     {"shop", "", env{till.EnvURL: "nats://h:1"}, `server nats://h:1, prefix pos, context ""`},
		"the selected context":          {"shop", "", nil, `server nats://shop:4222, prefix pos, context "shop"`},
		"a named context before all":    {"shop", "other", env{till.EnvURL: "nats://h:1"}, `server tls://a:1,tls://b:2, prefix pos, context "other"`},
		"a context without a URL":       {"", "empty", nil, `server nats://127.0.0.1:4222, prefix pos, context "empty"`},
		"the prefix":                    {"shop", "", env{till.EnvPrefix: "eu.pos"}, `server nats://shop:4222, prefix eu.pos, context "shop"`},
		"a password is never shown":     {"", "", env{till.EnvURL: "nats://me:secret@h:1,nats://token@h2:2"}, `server nats://h:1,nats://h2:2, prefix pos, context ""`},
		"nor one with an at sign in it": {"", "", env{till.EnvURL: "nats://me:se@cret@h:1"}, `server nats://h:1, prefix pos, context ""`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := home(t, contexts, test.selected)
			for k, v := range test.env {
				e[k] = v
			}
			settings, err := till.LoadSettings(e.get, test.context)
			if err != nil {
				t.Fatal(err)
			}
			for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
				if got := fmt.Sprintf(verb, settings); got != test.want {
					t.Errorf("%s: got %s, want %s", verb, got, test.want)
				}
			}
		})
	}
}

func TestSettingsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk")
	writeFile(t, junk, "secret-junk")
	missing := filepath.Join(dir, "missing")
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	contextOf := func(fields map[string]any) string {
		data, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	for name, test := range map[string]struct {
		context string // content of the context "it"; empty: none is named
		env     env
		want    string // begins the error
	}{
		"prefix":                  {"", env{till.EnvPrefix: "a b"}, "BRIDGE_SUBJECT_PREFIX: prefix must be tokens"},
		"URL":                     {"", env{till.EnvURL: "nats://me:secret@"}, "BRIDGE_NATS_URL: must be NATS servers such as"},
		"URL that does not parse": {"", env{till.EnvURL: "nats://me:secret@h:port"}, "BRIDGE_NATS_URL: must be NATS servers such as"},
		"other scheme":            {"", env{till.EnvURL: "http://me:secret@h"}, "BRIDGE_NATS_URL: must be servers that begin with"},
		"creds missing":           {"", env{till.EnvCreds: missing}, "BRIDGE_NATS_CREDS_FILE: must be a readable file: " + missing + ": no such file"},
		"creds is a folder":       {"", env{till.EnvCreds: dir}, "BRIDGE_NATS_CREDS_FILE: must be a readable file: " + dir + " is not a plain file"},
		"creds is a pipe":         {"", env{till.EnvCreds: pipe}, "BRIDGE_NATS_CREDS_FILE: must be a readable file: " + pipe + " is not a plain file"},
		"nkey is junk":            {"", env{till.EnvNKey: junk}, "BRIDGE_NATS_NKEY_FILE: must be a file with the seed"},
		"creds and nkey":          {"", env{till.EnvNKey: junk, till.EnvCreds: junk}, "BRIDGE_NATS_NKEY_FILE: and BRIDGE_NATS_CREDS_FILE exclude"},
		"CA is junk":              {"", env{till.EnvCA: junk}, "BRIDGE_NATS_CA_FILE: must be a PEM file"},
		"TLS first is no word":    {"", env{till.EnvFirst: "yes"}, "BRIDGE_NATS_TLS_FIRST: must be true or false"},
		"domain is junk":          {"", env{till.EnvDomain: "a >"}, "BRIDGE_NATS_JS_DOMAIN: must be one token"},
		"certificate without key": {"", env{till.EnvCert: junk}, "BRIDGE_NATS_KEY_FILE: is missing"},
		"key without certificate": {"", env{till.EnvKey: junk}, "BRIDGE_NATS_CERT_FILE: is missing"},
		"certificate is junk":     {"", env{till.EnvCert: junk, till.EnvKey: junk}, "BRIDGE_NATS_CERT_FILE: must be a PEM certificate"},

		"context is no JSON":    {`secret-junk`, nil, "nats context it: "},
		"context of wrong kind": {`{"url":["secret-junk"]}`, nil, "nats context it: "},
		"context's URL":         {contextOf(map[string]any{"url": "nats://me:secret@h:port"}), nil, "nats context it, field url: must be NATS servers"},
		"nsc":                   {contextOf(map[string]any{"nsc": "nsc://o/a/u"}), nil, "nats context it, field nsc: is not supported"},
		"nsc creds":             {contextOf(map[string]any{"creds": "nsc://o/a/u"}), nil, "nats context it, field creds: references of the kind nsc:// are not supported: write the path"},
		"1Password":             {contextOf(map[string]any{"token": "op://v/t"}), nil, "nats context it, field token: references of the kind op:// are not supported: write the value"},
		"Windows store":         {contextOf(map[string]any{"windows_cert_store": "user"}), nil, "nats context it, field windows_cert_store: is not supported"},
		"a variable":            {contextOf(map[string]any{"user": "me", "password": "ENV://PASS"}), nil, "nats context it, field password: references of the kind env://"},
		"inline data":           {contextOf(map[string]any{"nkey": "data:;base64,c2VjcmV0"}), nil, "nats context it, field nkey: references of the kind data:"},
		"a file by reference":   {contextOf(map[string]any{"ca": "file://" + junk}), nil, "nats context it, field ca: references of the kind file://"},
		"context's creds":       {contextOf(map[string]any{"creds": missing}), nil, "nats context it, field creds: must be a readable file"},
		"context's nkey":        {contextOf(map[string]any{"nkey": dir}), nil, "nats context it, field nkey: must be a readable file"},
		"user JWT":              {contextOf(map[string]any{"user_jwt": "secret-junk"}), nil, "nats context it, field user_jwt: is not supported"},
		"user seed":             {contextOf(map[string]any{"user_seed": "secret-junk"}), nil, "nats context it, field user_jwt: is not supported"},
		"certificate alone":     {contextOf(map[string]any{"cert": junk}), nil, "nats context it, field cert: and key go together"},
		"inbox prefix":          {contextOf(map[string]any{"inbox_prefix": "a.*"}), nil, "nats context it, field inbox_prefix: must be a subject"},
		"domain":                {contextOf(map[string]any{"jetstream_domain": "a b"}), nil, "nats context it, field jetstream_domain: must be a subject"},
		"proxy":                 {contextOf(map[string]any{"socks_proxy": "http://me:secret@h"}), nil, "nats context it, field socks_proxy: must be socks5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			named := ""
			e := home(t, nil, "")
			if test.context != "" {
				named = "it"
				e = home(t, map[string]string{"it": test.context}, "")
			}
			for k, v := range test.env {
				e[k] = v
			}
			_, err := till.LoadSettings(e.get, named)
			if _, ok := errors.AsType[*till.SettingError](err); !ok || !strings.HasPrefix(err.Error(), test.want) {
				t.Fatalf("got %v, want %s…", err, test.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

func TestContextThatIsNotThere(t *testing.T) {
	t.Parallel()
	e := home(t, map[string]string{"a": "{}", "b": "{}"}, "gone")
	for _, name := range []string{"", "c", "../a", "a.b", "x\x1b"} {
		if _, err := till.LoadSettings(e.get, name); err == nil {
			t.Errorf("context %q: got no error", name)
		}
	}
	if got, want := till.ContextNames(e.get), []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("got contexts %q, want %q", got, want)
	}
	if got := till.ContextNames(env{}.get); got != nil {
		t.Errorf("without a home: got contexts %q", got)
	}
}
