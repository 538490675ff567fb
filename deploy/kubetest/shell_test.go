package kubetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The two versions of Helm that the chart is for, by the names of their programs.
const (
	helm3 = "helm3"
	helm4 = "helm4"
)

// scriptTime bounds one script.
const scriptTime = 5 * time.Minute

// files are what the commands in the examples read, in their working folder.
var files = map[string]string{
	"api-key":       "a-key\n",
	"console-token": "a-token\n",
	"bridge.creds":  "-----BEGIN NATS USER JWT-----\nnone\n------END NATS USER JWT------\n",
	"nats-ca.crt":   "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
	"groups.yaml":   "groups: [{id: north, api_key: a-key, terminals: [T1]}]\n",
}

// shell runs a script in the folder that the examples are written for: "deploy/helm" is
// the chart, and "helm" is the given version. It returns what the script printed.
func shell(ctx context.Context, helm, script string) (string, error) {
	work := filepath.Join(folder, helm)
	if err := layWork(work, helm); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, scriptTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = work
	cmd.Env = append(os.Environ(), "KUBECONFIG="+server.kubeconfigFile(), "HOME="+work, "BINARIES="+binaries,
		"PATH="+filepath.Join(work, "bin")+":"+binaries+":"+filepath.Join(folder, "bin")+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// layWork makes the working folder of a version of Helm.
func layWork(work, helm string) error {
	if _, err := os.Stat(work); err == nil {
		return nil
	}
	for _, dir := range []string{"bin", "deploy"} {
		if err := os.MkdirAll(filepath.Join(work, dir), 0o755); err != nil {
			return err
		}
	}
	absolute, err := filepath.Abs(*chart)
	if err != nil {
		return err
	}
	for from, to := range map[string]string{absolute: "deploy/helm", filepath.Join(binaries, helm): "bin/helm"} {
		if err := os.Symlink(from, filepath.Join(work, to)); err != nil {
			return err
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// kubeconfigFile is where the file is, also before the control plane is complete.
func (*controlPlane) kubeconfigFile() string { return filepath.Join(folder, "kubeconfig") }

// must runs a script that has to succeed, and returns what it printed.
func must(t *testing.T, helm, script string) string {
	t.Helper()
	out, err := shell(t.Context(), helm, script)
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s", helm, err, script, out)
	}
	return out
}

// timed runs a script that has to succeed and notes how long it took.
func timed(t *testing.T, times *[]string, what, helm, script string) string {
	t.Helper()
	began := time.Now()
	out := must(t, helm, script)
	*times = append(*times, fmt.Sprintf("%s %.1f s", what, time.Since(began).Seconds()))
	return out
}

// removeNamespaces deletes namespaces and waits until they are gone.
func removeNamespaces(t *testing.T, helm string, names ...string) {
	t.Helper()
	must(t, helm, "kubectl delete namespace --ignore-not-found --timeout=2m "+strings.Join(names, " "))
}
