package kubetest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// trialNamespace is where the example trial.yaml is installed; pods there run as
// processes.
const trialNamespace = "pos-trial"

// example is one of the chart's values files, with the commands in its first comment.
type example struct {
	name string
	// before are the commands that make what the example needs.
	before string
	// install is the command that installs it.
	install string
	// namespace is the release's, objects the objects' own.
	namespace, objects string
}

func readExample(t *testing.T, file string) example {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	e := example{name: strings.TrimSuffix(filepath.Base(file), ".yaml")}
	for _, match := range regexp.MustCompile(`(?m)^#   ((kubectl|helm) .*)$`).FindAllStringSubmatch(string(text), -1) {
		if match[2] == "helm" {
			e.install = match[1]
		} else {
			e.before += match[1] + "\n"
		}
	}
	namespace := regexp.MustCompile(` -n (\S+)`).FindStringSubmatch(e.install)
	if namespace == nil {
		t.Fatalf("%s shows no command that installs it", file)
	}
	e.namespace, e.objects = namespace[1], namespace[1]
	if override := regexp.MustCompile(`(?m)^namespaceOverride: (\S+)`).FindSubmatch(text); override != nil {
		e.objects = string(override[1])
	}
	return e
}

// remove deletes what before has made.
func (e example) remove(t *testing.T, helm string) {
	t.Helper()
	removeNamespaces(t, helm, slices.Compact([]string{e.namespace, e.objects})...)
	must(t, helm, "kubectl delete --ignore-not-found priorityclass/payments runtimeclass/gvisor")
}

// Every example works as given: its own commands, and then what an operator does with a
// release, with both versions of Helm.
func TestExamples(t *testing.T) {
	needs(t)
	list, err := filepath.Glob(filepath.Join(*chart, "examples", "*.yaml"))
	if err != nil || len(list) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range list {
		e := readExample(t, file)
		t.Run(e.name, func(t *testing.T) {
			defer e.remove(t, helm3)
			must(t, helm3, "kubectl create namespace "+e.namespace)
			must(t, helm3, strings.ReplaceAll(e.before, "kubectl create namespace "+e.namespace+"\n", ""))
			for _, helm := range []string{helm3, helm4} {
				t.Run(helm, func(t *testing.T) { e.run(t, helm) })
			}
		})
	}
}

// run installs, tests, upgrades, rolls back and uninstalls the example.
func (e example) run(t *testing.T, helm string) {
	var times []string
	options := " --wait --timeout 3m"

	// A GitOps tool applies the rendering on the server, which refuses repeated keys.
	values := regexp.MustCompile(`-f \S+`).FindString(e.install)
	timed(t, &times, "server-side apply", helm, "helm template pos deploy/helm --kube-version 1.37 --no-hooks -n "+e.namespace+" "+values+
		" | kubectl apply --server-side --validate=strict --dry-run=server -n "+e.objects+" -f -")

	timed(t, &times, "install", helm, e.install+options)
	test := "helm -n " + e.namespace + " test pos"
	if e.objects == e.namespace {
		test += " --logs"
	}
	out := timed(t, &times, "test", helm, test)
	if e.namespace == trialNamespace && !strings.Contains(out, `[]`) {
		t.Errorf("the log of the test shows no list of sessions:\n%s", out)
	}
	timed(t, &times, "upgrade", helm, e.install+options+" --set podAnnotations.again=yes")
	timed(t, &times, "rollback", helm, "helm -n "+e.namespace+" rollback pos 1"+options)
	if got := must(t, helm, "kubectl -n "+e.objects+" get deploy -l app.kubernetes.io/component=bridge -o jsonpath='{.items[*].spec.template.metadata.annotations.again}'"); got != "" {
		t.Errorf("after the rollback the upgrade is still there: %s", got)
	}
	timed(t, &times, "uninstall", helm, "helm -n "+e.namespace+" uninstall pos"+options)
	release := " -n " + e.objects + " -l app.kubernetes.io/instance=pos"
	left := must(t, helm, "kubectl wait --for=delete pod --timeout=1m"+release+",app.kubernetes.io/component!=test >/dev/null\n"+
		"kubectl get --ignore-not-found --show-kind -o name"+release+
		" $(kubectl api-resources --namespaced --verbs=list -o name | grep -v -e '^events' -e '^endpoints$' | paste -sd,)")
	if want := "pod/pos-pos-bridge-test"; strings.TrimSpace(left) != want {
		t.Errorf("the uninstall left behind %q, want %q", left, want)
	}
	t.Log(strings.Join(times, ", "))
}
