package bus_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/natsserver"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// TestConnections connects with each form of authentication to a real server
// that asks for it, loses the connection and gets it back.
func TestConnections(t *testing.T) {
	t.Parallel()
	files := newFiles(t)
	for name, tt := range map[string]struct {
		config  string
		options bus.Options
		scheme  string
	}{
		"TLS": {
			config:  files.tls(false),
			options: bus.Options{CAFile: files.ca},
			scheme:  "tls",
		},
		"TLS with a client certificate": {
			config:  files.tls(true),
			options: bus.Options{CAFile: files.ca, CertFile: files.cert, KeyFile: files.key},
			scheme:  "tls",
		},
		"nkey": {
			config:  fmt.Sprintf("authorization { users: [ { nkey: %s } ] }", files.nkey),
			options: bus.Options{NKeyFile: files.seed},
			scheme:  "nats",
		},
		"credentials": {
			config:  files.operator,
			options: bus.Options{CredsFile: files.creds},
			scheme:  "nats",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := natstest.Run(t, natstest.WithConfig(tt.config))
			tt.options.URLs = fmt.Sprintf("%s://127.0.0.1:%d", tt.scheme, server.Port())
			b := connect(t, tt.options)
			receive(t, b.connected)
			if _, err := b.Ensure(t.Context()); err != nil {
				t.Fatal(err)
			}
			server.Shutdown()
			receive(t, b.lost)
			if err := server.Restart(); err != nil {
				t.Fatal(err)
			}
			receive(t, b.connected)
			if _, err := appendStatus(t.Context(), b.Bus, payment.Status{Event: schema.StatusEvent{TerminalID: "T1", OrderID: "o", Sequence: 1}}, 0); err != nil {
				t.Errorf("after the reconnect: %v", err)
			}
		})
	}
}

// TestConnectionsRefused: without what the server asks for there is no connection.
func TestConnectionsRefused(t *testing.T) {
	t.Parallel()
	files := newFiles(t)
	server := natstest.Run(t, natstest.WithConfig(files.tls(true)))
	connected, refused := make(chan struct{}, 8), make(chan error, 8)
	b, err := bus.Connect(bus.Options{
		URLs: fmt.Sprintf("tls://127.0.0.1:%d", server.Port()), CAFile: files.ca, Space: subjects.Default(),
		Events: bus.ConnectionEvents{Connected: func(string) { connected <- struct{}{} }, Closed: func(err error) { refused <- err }},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Close(context.Background())
	select {
	case <-connected:
		t.Error("connected without a client certificate")
	default:
	}
}

// TestWhatIsToldOfAConnection: to which server, and no complaints of what waits
// for one that is known to be away.
func TestWhatIsToldOfAConnection(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	complaints := make(chan error, 8)
	b := connect(t, bus.Options{
		URLs:   strings.Replace(server.URL(), "//", "//user:password@", 1),
		Events: bus.ConnectionEvents{Error: func(err error) { complaints <- err }},
	})
	if got, want := receive(t, b.connected), strings.TrimPrefix(server.URL(), "nats://"); got != want && got != server.URL() {
		t.Errorf("connected to %q, want %q", got, want)
	}
	complain := func(text string) { b.Conn().Opts.AsyncErrorCB(b.Conn(), nil, errors.New(text)) }
	complain("slow consumer")
	server.Shutdown()
	receive(t, b.lost)
	complain("consumer not active")
	var got []string
	for range len(complaints) {
		got = append(got, (<-complaints).Error())
	}
	if len(got) != 1 || got[0] != "slow consumer" {
		t.Errorf("told %q, want what came while connected", got)
	}
}

// TestPublishWhoseConnectionIsLost: nobody waits for an acknowledgement that cannot
// come any more.
func TestPublishWhoseConnectionIsLost(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b := connect(t, bus.Options{URLs: server.URL()})
	receive(t, b.connected)
	arrived := make(chan struct{}) // instead of a stream there is somebody who does not answer
	silent := natstest.Connect(t, server.URL())
	must(silent.Subscribe("pos.*.*.journal.*", func(*nats.Msg) { close(arrived) }))(t)
	if err := silent.Flush(); err != nil {
		t.Fatal(err)
	}
	outcome := make(chan error, 1)
	go func() {
		_, err := appendStatus(t.Context(), b.Bus, payment.Status{Event: schema.StatusEvent{TerminalID: "T1", OrderID: "o", Sequence: 1}}, 0)
		outcome <- err
	}()
	receive(t, arrived)
	server.Shutdown()
	if err := receive(t, outcome); !errors.Is(err, nats.ErrDisconnected) {
		t.Errorf("got %v, want the loss of the connection", err)
	}
}

// TestPublishDuringAnOutage: what was told to have failed is not sent later.
func TestPublishDuringAnOutage(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b := connect(t, bus.Options{URLs: server.URL()})
	receive(t, b.connected)
	if _, err := b.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Shutdown()
	receive(t, b.lost)
	event := payment.Status{Event: schema.StatusEvent{TerminalID: "T1", OrderID: "o", Sequence: 1, Status: "initialized"}}
	if _, err := appendStatus(t.Context(), b.Bus, event, 0); err == nil {
		t.Fatal("published while the server was away")
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	receive(t, b.connected)
	if log := must(b.ReadLog(t.Context(), "T1", "o", true))(t); log.Last != 0 {
		t.Errorf("it was sent later all the same: %+v", log)
	}
}

// TestRedeliveryAfterARestart: a session in the queue outlives the server.
func TestRedeliveryAfterARestart(t *testing.T) {
	t.Parallel()
	server, err := natsserver.Start(natsserver.Options{Dir: t.TempDir(), JetStream: true, SyncAlways: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	b := connect(t, bus.Options{URLs: server.URL()})
	receive(t, b.connected)
	if _, err := b.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	seq, err := b.Enqueue(t.Context(), payment.Session{Request: schema.StartRequest{TerminalID: "T1", OrderID: "o"}, Nonce: "n"})
	if err != nil {
		t.Fatal(err)
	}
	taken, _ := deliveries(t, b.Bus)
	receive(t, taken)
	server.Shutdown()
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	receive(t, b.connected)
	if again := receive(t, taken); again.Seq != seq || again.Delivered != 2 {
		t.Errorf("got %d redelivered=%v, want %d again", again.Seq, again.Delivered > 1, seq)
	}
}

// files are keys, certificates and configurations made for one test.
type files struct {
	dir                   string
	ca, cert, key         string
	serverCert, serverKey string
	seed, nkey            string
	creds, operator       string
}

func newFiles(t *testing.T) files {
	t.Helper()
	f := files{dir: t.TempDir()}
	ca, caKey := certificate(t, nil, nil)
	f.ca = f.write(t, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw}))
	f.cert, f.key = f.pair(t, "client", ca, caKey)
	f.serverCert, f.serverKey = f.pair(t, "server", ca, caKey)

	user, _ := nkeys.CreateUser()
	seed, _ := user.Seed()
	f.nkey, _ = user.PublicKey()
	f.seed = f.write(t, "user.nk", seed)
	f.jwt(t)
	return f
}

// jwt makes an operator, an account with JetStream and a user of it.
func (f *files) jwt(t *testing.T) {
	t.Helper()
	operator, _ := nkeys.CreateOperator()
	operatorID, _ := operator.PublicKey()
	system, _ := nkeys.CreateAccount()
	systemID, _ := system.PublicKey()
	account, _ := nkeys.CreateAccount()
	accountID, _ := account.PublicKey()
	user, _ := nkeys.CreateUser()
	userID, _ := user.PublicKey()
	userSeed, _ := user.Seed()

	op := jwt.NewOperatorClaims(operatorID)
	op.SystemAccount = systemID
	opToken := encode(t, op, operator)
	acc := jwt.NewAccountClaims(accountID)
	acc.Limits.JetStreamLimits = jwt.JetStreamLimits{DiskStorage: -1, MemoryStorage: -1, Streams: -1, Consumer: -1}
	u := jwt.NewUserClaims(userID)
	u.IssuerAccount = accountID
	creds, err := jwt.FormatUserConfig(encode(t, u, account), userSeed)
	if err != nil {
		t.Fatal(err)
	}
	f.creds = f.write(t, "user.creds", creds)
	f.operator = fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: {\n  %s: %s\n  %s: %s\n}\n",
		opToken, systemID, accountID, encode(t, acc, operator), systemID, encode(t, jwt.NewAccountClaims(systemID), operator))
}

func encode(t *testing.T, claims interface {
	Encode(pair nkeys.KeyPair) (string, error)
}, by nkeys.KeyPair,
) string {
	t.Helper()
	token, err := claims.Encode(by)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (f *files) tls(verify bool) string {
	return fmt.Sprintf("tls { cert_file: %q, key_file: %q, ca_file: %q, verify: %v }", f.serverCert, f.serverKey, f.ca, verify)
}

func (f *files) write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (f *files) pair(t *testing.T, name string, ca *x509.Certificate, caKey *ecdsa.PrivateKey) (certFile, keyFile string) {
	t.Helper()
	cert, key := certificate(t, ca, caKey)
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return f.write(t, name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})),
		f.write(t, name+".key", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
}

// certificate makes one for this machine, signed by ca, or a CA without one.
func certificate(t *testing.T, ca *x509.Certificate, caKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "bridge test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: ca == nil, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if ca == nil {
		ca, caKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, &key.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}
