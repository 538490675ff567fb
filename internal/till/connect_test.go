package till_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/posbridge/bridge/internal/bridgetest"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/internal/till"
)

// connect connects with an environment, or fails the test.
func connect(t *testing.T, e env, context string) *till.Till {
	t.Helper()
	settings, err := till.LoadSettings(e.get, context)
	if err != nil {
		t.Fatal(err)
	}
	bus, err := till.Connect(limited(t), settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close)
	return bus
}

// limited is a context that ends before a test may hang.
func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), bridgetest.Limit)
	t.Cleanup(cancel)
	return ctx
}

// answers asks for the sessions, to see that the connection works both ways.
func answers(t *testing.T, bus *till.Till) {
	t.Helper()
	if _, _, err := bus.List(limited(t)); err != nil {
		t.Errorf("ask for sessions: %v", err)
	}
}

func contextFile(t *testing.T, fields map[string]any) env {
	t.Helper()
	data, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return home(t, map[string]string{"it": string(data)}, "it")
}

func TestConnectWithPasswordAndToken(t *testing.T) {
	t.Parallel()
	passwords := natstest.Run(t, natstest.WithConfig(`authorization { user: me, password: "se cret" }`))
	tokens := natstest.Run(t, natstest.WithConfig(`authorization { token: "to:ken" }`))
	own := "nats://me:se%20cret@" + strings.TrimPrefix(passwords.URL(), "nats://")
	bridgetest.Run(t, own, bridgetest.Handlers{}, bridgetest.Options{NoStream: true})
	bridgetest.Run(t, strings.Replace(tokens.URL(), "://", "://to%3Aken@", 1), bridgetest.Handlers{}, bridgetest.Options{NoStream: true})

	answers(t, connect(t, env{till.EnvURL: own}, ""))
	for name, fields := range map[string]map[string]any{
		"password":    {"url": passwords.URL(), "user": "me", "password": "se cret"},
		"token":       {"url": tokens.URL(), "token": "to:ken"},
		"own inboxes": {"url": tokens.URL(), "token": "to:ken", "inbox_prefix": "_INBOX_me"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answers(t, connect(t, contextFile(t, fields), "it"))
		})
	}
}

func TestConnectWithNKeyAndCredentials(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	seed, public := userSeed(t)
	seedFile := filepath.Join(dir, "user.nk")
	writeFile(t, seedFile, seed)
	byKey := natstest.Run(t, natstest.WithConfig(fmt.Sprintf(`authorization { users: [ { nkey: %s }, { user: bridge, password: bridge } ] }`, public)))
	bridgetest.Run(t, strings.Replace(byKey.URL(), "://", "://bridge:bridge@", 1), bridgetest.Handlers{}, bridgetest.Options{NoStream: true})
	answers(t, connect(t, env{till.EnvURL: byKey.URL(), till.EnvNKey: seedFile}, ""))
	answers(t, connect(t, contextFile(t, map[string]any{"url": byKey.URL(), "nkey": seedFile}), ""))

	byJWT, creds := jwtServer(t)
	credsFile := filepath.Join(dir, "user.creds")
	writeFile(t, credsFile, creds)
	for _, e := range []env{
		{till.EnvURL: byJWT, till.EnvCreds: credsFile},
		contextFile(t, map[string]any{"url": byJWT, "creds": credsFile}),
	} {
		bus := connect(t, e, "")
		_, _, err := bus.List(limited(t))
		if _, ok := errors.AsType[*till.NoBridgeError](err); !ok { // connected, and nobody serves there
			t.Errorf("got %v, want no bridge", err)
		}
	}
}

// jwtServer runs a server that trusts an operator, with one user.
func jwtServer(t *testing.T) (url, creds string) {
	t.Helper()
	key := func(create func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string) {
		pair, err := create()
		if err != nil {
			t.Fatal(err)
		}
		public, err := pair.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		return pair, public
	}
	encoded := func(text string, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	operator, operatorID := key(nkeys.CreateOperator)
	account, accountID := key(nkeys.CreateAccount)
	user, userID := key(nkeys.CreateUser)
	accountJWT := encoded(jwt.NewAccountClaims(accountID).Encode(operator))
	userJWT := encoded(jwt.NewUserClaims(userID).Encode(account))
	raw, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	formatted, err := jwt.FormatUserConfig(userJWT, raw)
	if err != nil {
		t.Fatal(err)
	}
	accounts := &server.MemAccResolver{}
	if err := accounts.Store(accountID, accountJWT); err != nil {
		t.Fatal(err)
	}
	s := natstest.Run(t, natstest.WithoutJetStream(), natstest.WithServerOptions(func(o *server.Options) {
		o.TrustedKeys = []string{operatorID}
		o.AccountResolver = accounts
	}))
	return s.URL(), string(formatted)
}

func TestConnectWithTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca, cert, key := certificate(t, dir)
	s := natstest.Run(t, natstest.WithConfig(fmt.Sprintf(
		`tls { cert_file: %q, key_file: %q, ca_file: %q, verify: true }`, cert, key, ca)))
	answersNobody := func(e env) {
		t.Helper()
		_, _, err := connect(t, e, "").List(limited(t))
		if _, ok := errors.AsType[*till.NoBridgeError](err); !ok {
			t.Errorf("got %v, want no bridge", err)
		}
	}
	url := strings.Replace(s.URL(), "nats://", "tls://", 1)
	answersNobody(env{till.EnvURL: url, till.EnvCA: ca, till.EnvCert: cert, till.EnvKey: key})
	first := natstest.Run(t, natstest.WithConfig(fmt.Sprintf(`tls { handshake_first: true, cert_file: %q, key_file: %q }`, cert, key)))
	answersNobody(env{till.EnvURL: strings.Replace(first.URL(), "nats://", "tls://", 1), till.EnvCA: ca, till.EnvFirst: "TRUE"})
	answersNobody(contextFile(t, map[string]any{"url": url, "ca": ca, "cert": cert, "key": key}))

	settings, err := till.LoadSettings(env{till.EnvURL: url}.get, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = till.Connect(limited(t), settings)
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without the CA: got %v", err)
	}
}

// certificate makes a certificate for 127.0.0.1 that is its own authority.
func certificate(t *testing.T, dir string) (ca, cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeFile(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	writeFile(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})))
	return cert, cert, key
}

func TestConnectError(t *testing.T) {
	t.Parallel()
	closed, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	guarded := strings.TrimPrefix(natstest.Run(t, natstest.WithConfig(`authorization { user: me, password: right }`)).URL(), "nats://")
	for name, test := range map[string]struct{ url, want string }{
		"no responders":  {"nats://me:secret@" + nobody, "connect to NATS at nats://" + nobody + ": no server answers there"},
		"wrong password": {"nats://me:secret@" + guarded, "connect to NATS at nats://" + guarded + ": the server refuses these credentials"},
		"no TLS there":   {"tls://me:right@" + guarded, "connect to NATS at tls://" + guarded + ": the server does not speak TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings, err := till.LoadSettings(env{till.EnvURL: test.url}.get, "")
			if err != nil {
				t.Fatal(err)
			}
			_, err = till.Connect(limited(t), settings)
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestConnectStopsWithItsContext(t *testing.T) {
	t.Parallel()
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // accepts and never says a word
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	settings, err := till.LoadSettings(env{till.EnvURL: "nats://" + silent.Addr().String()}.get, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = till.Connect(ctx, settings)
	if _, ok := errors.AsType[*till.ConnectError](err); !ok || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want a ConnectError of the context's end", err)
	}
}
