package bridge

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/nats-io/nkeys"

	"github.com/posbridge/bridge/internal/redact"
)

// fileOf is for a variable that names a file. It checks that the file can be read
// and that its content fits: otherwise it would only be found out when somebody
// refuses the content, again and again. A nil fits takes any content.
func fileOf(want string, fits func([]byte) bool, field func(*Config) *string) parser {
	return func(r *reader, name, path string, c *Config) {
		content, ok := r.read(name, path)
		if !ok {
			return
		}
		if fits != nil && !fits(content) {
			r.bad(name, "must name "+want)
			return
		}
		*field(c) = path
	}
}

// maxFile bounds a file that a variable names, in bytes.
const maxFile = 1 << 20

// read returns what is in a regular file. To open a pipe would wait for its writer,
// and a device may never end. The path is no secret.
func (r *reader) read(name, path string) (content []byte, ok bool) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		r.bad(name, fmt.Sprintf("must name a readable file; %q is not one", path))
		return nil, false
	}
	if err == nil && info.Size() > maxFile {
		r.bad(name, fmt.Sprintf("must name a file of at most %d bytes; %q has %d", maxFile, path, info.Size()))
		return nil, false
	}
	if err == nil {
		content, err = os.ReadFile(path)
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		r.bad(name, fmt.Sprintf("must name a readable file; %q does not exist", path))
	case errors.Is(err, os.ErrPermission):
		r.bad(name, fmt.Sprintf("must name a readable file; this user may not read %q", path))
	case err != nil:
		r.bad(name, fmt.Sprintf("must name a readable file; %q is not one", path))
	}
	return content, err == nil
}

func (r *reader) secretFile(name, path string) redact.Secret {
	content, ok := r.read(name, path)
	if !ok {
		return redact.Secret{}
	}
	value := strings.TrimSpace(string(content))
	if !visible(value) {
		r.bad(name, "must name a file with one line of visible characters")
	}
	return redact.NewSecret(value)
}

func visible(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

func isCreds(content []byte) bool {
	token, err := nkeys.ParseDecoratedJWT(content)
	if err != nil || token == "" {
		return false
	}
	_, err = nkeys.ParseDecoratedNKey(content)
	return err == nil
}

func isSeed(content []byte) bool {
	key, err := nkeys.ParseDecoratedNKey(content)
	if err != nil {
		return false
	}
	_, err = key.Seed()
	return err == nil
}

func isPEM(content []byte) bool {
	return x509.NewCertPool().AppendCertsFromPEM(content)
}

func isKeyPair(certFile, keyFile string) bool {
	_, err := tls.LoadX509KeyPair(certFile, keyFile)
	return err == nil
}
