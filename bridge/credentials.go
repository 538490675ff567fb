package bridge

import (
	"crypto/tls"
	"crypto/x509"
	"os"

	"github.com/nats-io/nkeys"
)

// credentials checks that the files that were read hold what they are for: a
// file that cannot be used would only be found out when NATS refuses it, again
// and again.
func (r *reader) credentials(c Config) {
	for _, file := range []struct {
		name, path, want string
		fits             func([]byte) bool
	}{
		{"NATS_CREDS_FILE", c.NATSCredsFile, "a credentials file with a user JWT and an nkey seed", isCreds},
		{"NATS_NKEY_FILE", c.NATSNKeyFile, "a file with an nkey seed (SU…)", isSeed},
		{"NATS_CA_FILE", c.NATSCAFile, "a file with PEM certificates", isPEM},
	} {
		if file.path == "" {
			continue
		}
		content, err := os.ReadFile(file.path)
		if err == nil && !file.fits(content) { // what cannot be read was said already
			r.bad(file.name, "takes "+file.want)
		}
	}
	if c.NATSCertFile == "" || c.NATSKeyFile == "" {
		return
	}
	_, certErr := os.ReadFile(c.NATSCertFile)
	_, keyErr := os.ReadFile(c.NATSKeyFile)
	if certErr != nil || keyErr != nil {
		return
	}
	if _, err := tls.LoadX509KeyPair(c.NATSCertFile, c.NATSKeyFile); err != nil {
		r.bad("NATS_CERT_FILE", "and BRIDGE_NATS_KEY_FILE take a PEM certificate and the private key that belongs to it")
	}
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
