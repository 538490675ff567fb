package kubetest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	etcdURL = "http://127.0.0.1:2379"
	peerURL = "http://127.0.0.1:2380"
	apiPort = "6443"
	token   = "administrator"
	// partStart is how long one part may take to be ready, on a busy machine.
	partStart = 2 * time.Minute
)

// controlPlane is etcd, the API server, the controllers and the scheduler, each a
// process.
type controlPlane struct {
	client     kubernetes.Interface
	kubeconfig string
	version    string
}

// startControlPlane starts the parts and waits until they work. They end with this
// process's namespace.
func startControlPlane(ctx context.Context) (*controlPlane, error) {
	c := &controlPlane{kubeconfig: filepath.Join(folder, "kubeconfig")}
	if err := c.configure(); err != nil {
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	config.QPS, config.Burst = 200, 400
	if c.client, err = kubernetes.NewForConfig(rest.AddUserAgent(config, "kubetest")); err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	file := func(name string) string { return filepath.Join(folder, name) }
	if err := start("etcd", file("etcd"), etcdURL, peerURL); err != nil {
		return nil, err
	}
	if err := wait(ctx, "etcd", func() error { return get(ctx, etcdURL+"/health") }); err != nil {
		return nil, err
	}
	if err := start("apiserver", "--etcd-servers="+etcdURL, "--secure-port="+apiPort, "--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", "--cert-dir="+file("certificates"),
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+file("accounts.key"),
		"--service-account-signing-key-file="+file("accounts.key"), "--token-auth-file="+file("tokens.csv"),
		"--authorization-mode=RBAC", "--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112",
		"--admission-control-config-file="+file("admission.yaml"), "--enable-priority-and-fairness=false"); err != nil {
		return nil, err
	}
	if err := wait(ctx, "apiserver", func() error {
		_, err := c.client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		return err
	}); err != nil {
		return nil, err
	}
	if err := start("controllers", "--kubeconfig="+c.kubeconfig, "--service-account-private-key-file="+file("accounts.key"),
		"--use-service-account-credentials=false", "--leader-elect=false", "--secure-port=0",
		"--horizontal-pod-autoscaler-sync-period=2s"); err != nil {
		return nil, err
	}
	if err := start("scheduler", "--kubeconfig="+c.kubeconfig, "--leader-elect=false", "--secure-port=0"); err != nil {
		return nil, err
	}
	if err := wait(ctx, "controllers", func() error {
		_, err := c.client.CoreV1().ServiceAccounts("default").Get(ctx, "default", meta.GetOptions{})
		return err
	}); err != nil {
		return nil, err
	}
	version, err := c.client.Discovery().ServerVersion()
	if err != nil {
		return nil, fmt.Errorf("ask version: %w", err)
	}
	c.version = version.GitVersion
	return c, nil
}

// configure writes the files that the parts read.
func (c *controlPlane) configure() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	for name, text := range map[string]string{
		"accounts.key": string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
		"tokens.csv":   token + `,admin,admin,"system:masters"` + "\n",
		// Every namespace holds its pods to the Pod Security Standard "restricted".
		"admission.yaml": `apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
  - name: PodSecurity
    configuration:
      apiVersion: pod-security.admission.config.k8s.io/v1
      kind: PodSecurityConfiguration
      defaults: {enforce: restricted, enforce-version: latest}
`,
		"kubeconfig": `apiVersion: v1
kind: Config
clusters: [{name: kubetest, cluster: {server: "https://127.0.0.1:` + apiPort + `", insecure-skip-tls-verify: true}}]
users: [{name: admin, user: {token: ` + token + `}}]
contexts: [{name: kubetest, context: {cluster: kubetest, user: admin}}]
current-context: kubetest
`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// start starts a part of the control plane. Its output goes to a file.
func start(part string, arguments ...string) error {
	log, err := os.Create(filepath.Join(folder, part+".log"))
	if err != nil {
		return fmt.Errorf("make log: %w", err)
	}
	cmd := exec.Command(filepath.Join(binaries, "controlplane"), append([]string{part}, arguments...)...)
	cmd.Dir = folder
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", part, err)
	}
	go func() {
		err := cmd.Wait()
		fmt.Fprintf(os.Stderr, "kubetest: %s ended: %v; see %s\n", part, err, log.Name())
		_ = log.Close()
	}()
	return nil
}

// wait asks until there is no error.
func wait(ctx context.Context, what string, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, partStart)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready after %v: %w", what, partStart, err)
		case <-tick.C:
		}
	}
}

func get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, response.Status)
	}
	return nil
}

// prepare gives the cluster what a real one has: the resource types that the chart can
// use, and nodes.
func (c *controlPlane) prepare(ctx context.Context) error {
	script := `kubectl apply --server-side -f "$BINARIES/types" && kubectl wait --for condition=established --timeout=60s crd --all`
	if out, err := shell(ctx, helm3, script); err != nil {
		return fmt.Errorf("make resource types: %w\n%s", err, out)
	}
	return wait(ctx, "nodes", func() error {
		nodes, err := c.client.CoreV1().Nodes().List(ctx, meta.ListOptions{})
		if err == nil && len(nodes.Items) < 4 {
			err = fmt.Errorf("%d nodes", len(nodes.Items))
		}
		return err
	})
}
