package charttest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nkeys"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
)

// The bridge takes the environment and the files that the chart gives it: it
// comes up and is alive, where a bad value would end it with exit code 78.
func TestTheBridgeTakesTheEnvironment(t *testing.T) {
	t.Parallel()
	binary, err := buildBridge()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range caseNames() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := mustRender(t, name)
			pod := find[*apps.Deployment](t, r, fullname(r)).Spec.Template.Spec
			root := t.TempDir()
			nobody, err := net.Listen("tcp", "127.0.0.1:0") // an address where no NATS answers
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { nobody.Close() })
			address := freeAddress(t)

			cmd := exec.Command(binary, pod.Containers[0].Args...)
			for _, e := range pod.Containers[0].Env {
				value := e.Value
				switch {
				case e.Name == "BRIDGE_NATS_URL":
					value = "nats://" + nobody.Addr().String()
				case e.Name == "BRIDGE_HTTP_ADDR":
					value = address
				case e.Name == "BRIDGE_WEBHOOK_ADDR":
					value = "127.0.0.1:0"
				case strings.HasSuffix(e.Name, "_FILE"):
					value = filepath.Join(root, value)
				case !strings.HasPrefix(e.Name, "BRIDGE_"):
					continue // traces and proxies lead out of this machine
				}
				cmd.Env = append(cmd.Env, e.Name+"="+value)
			}
			putSecrets(t, root, pod.Containers[0].Env)

			var log bytes.Buffer
			cmd.Stdout, cmd.Stderr = &log, &log
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			deadline := time.After(30 * time.Second)
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for alive := false; !alive; {
				select {
				case err := <-ended:
					t.Fatalf("pos-bridge serve ended: %v\n%s", err, log.String())
				case <-deadline:
					_ = cmd.Process.Kill()
					<-ended
					t.Fatalf("pos-bridge serve did not answer on /healthz in 30 s\n%s", log.String())
				case <-tick.C:
					if resp, err := http.Get("http://" + address + "/healthz"); err == nil {
						resp.Body.Close()
						alive = resp.StatusCode == http.StatusOK
					}
				}
			}
			// As Kubernetes does it, and within the grace period.
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("pos-bridge serve ended: %v\n%s", err, log.String())
				}
			case <-time.After(time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second):
				_ = cmd.Process.Kill()
				<-ended
				t.Errorf("pos-bridge serve was still there after its grace period of %d s", *pod.TerminationGracePeriodSeconds)
			}
		})
	}
}

// putSecrets lays out below root what the Secrets of the variables would hold.
func putSecrets(t *testing.T, root string, env []core.EnvVar) {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	cert, key := selfSigned(t)
	contents := map[string]string{
		"BRIDGE_NATS_CREDS_FILE":      "-----BEGIN NATS USER JWT-----\nnone\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n" + string(seed) + "\n------END USER NKEY SEED------\n",
		"BRIDGE_NATS_NKEY_FILE":       string(seed),
		"BRIDGE_NATS_CA_FILE":         cert,
		"BRIDGE_NATS_CERT_FILE":       cert,
		"BRIDGE_NATS_KEY_FILE":        key,
		"BRIDGE_API_KEY_FILE":         "a-key\n",
		"BRIDGE_TERMINAL_GROUPS_FILE": "groups: [{id: north, api_key: a-key, terminals: [T1]}]\n",
		"BRIDGE_API_CA_FILE":          cert,
		"BRIDGE_CONSOLE_TOKEN_FILE":   "a-token\n",
	}
	for _, e := range env {
		if !strings.HasSuffix(e.Name, "_FILE") {
			continue
		}
		content, ok := contents[e.Name]
		if !ok {
			t.Fatalf("this test does not know what %s holds", e.Name)
		}
		path := filepath.Join(root, e.Value)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}
