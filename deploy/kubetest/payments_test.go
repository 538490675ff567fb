package kubetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Payments go on while the release is upgraded, rolled back, scaled and while a node is
// drained: all are paid, and none is charged twice.
func TestPayments(t *testing.T) {
	needs(t)
	for _, helm := range []string{helm3, helm4} {
		t.Run(helm, func(t *testing.T) {
			e := readExample(t, *chart+"/examples/trial.yaml")
			defer e.remove(t, helm)
			must(t, helm, e.install+" --wait --timeout 3m")
			tills := openTills(t, helm)
			n := "-n " + trialNamespace
			rollout := "kubectl " + n + " rollout status --timeout=3m deploy/pos-pos-bridge"
			var times []string
			for _, step := range []struct {
				what   string
				script func() string
			}{
				{"upgrade", func() string { return e.install + " --wait --timeout 3m --set config.logLevel=debug" }},
				{"rollback", func() string { return "helm " + n + " rollback pos 1 --wait --timeout 3m" }},
				{"scale up", func() string { return "kubectl " + n + " scale deploy/pos-pos-bridge --replicas=4; " + rollout }},
				// Four replicas are on more nodes than NATS and the simulator are.
				{"drain", func() string {
					node := drainable(t)
					return "kubectl drain " + node + " --ignore-daemonsets --delete-emptydir-data --timeout=3m; " + rollout + "; kubectl uncordon " + node
				}},
				{"scale down", func() string { return "kubectl " + n + " scale deploy/pos-pos-bridge --replicas=2; " + rollout }},
			} {
				before := tills.paid()
				timed(t, &times, step.what, helm, step.script())
				tills.waitFor(t, before+len(terminals)) // payments go on after the step
			}
			orders := tills.close(t)
			t.Logf("%d payments; %s", len(orders), strings.Join(times, ", "))
			checkPaid(t, orders)
		})
	}
}

var terminals = []string{"SIM00001", "SIM00002", "SIM00003", "SIM00004"}

// tills pay one payment after the other on every terminal.
type tills struct {
	helm string
	stop chan struct{}
	all  sync.WaitGroup

	mu     sync.Mutex
	orders []string
	failed []string
	more   chan struct{} // closed and replaced with every payment that is over
}

func openTills(t *testing.T, helm string) *tills {
	t.Helper()
	s := &tills{helm: helm, stop: make(chan struct{}), more: make(chan struct{})}
	address := podAddress(t, "nats")
	for i, terminal := range terminals {
		s.all.Go(func() {
			for number := 1; ; number++ {
				select {
				case <-s.stop:
					return
				default:
				}
				order := fmt.Sprintf("K%d-%d", i+1, number)
				out, err := shell(t.Context(), s.helm, fmt.Sprintf("BRIDGE_NATS_URL=nats://%s:4222 pos-bridge pay --json --terminal %s --amount 12.50 --order %s", address, terminal, order))
				s.done(order, out, err)
			}
		})
	}
	return s
}

// done notes a payment that is over.
func (s *tills) done(order, out string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders = append(s.orders, order)
	if err != nil {
		s.failed = append(s.failed, fmt.Sprintf("%s: %v\n%s", order, err, out))
	}
	close(s.more)
	s.more = make(chan struct{})
}

// paid is how many payments are over.
func (s *tills) paid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.orders)
}

// waitFor returns when so many payments are over.
func (s *tills) waitFor(t *testing.T, count int) {
	t.Helper()
	limit := time.After(2 * time.Minute)
	for {
		s.mu.Lock()
		now, more := len(s.orders), s.more
		s.mu.Unlock()
		if now >= count {
			return
		}
		select {
		case <-more:
		case <-limit:
			t.Fatalf("%d payments after 2 minutes, want %d", now, count)
		}
	}
}

// close lets the tills end their payments, and returns the orders.
func (s *tills) close(t *testing.T) []string {
	t.Helper()
	close(s.stop)
	s.all.Wait()
	for _, failed := range s.failed {
		t.Errorf("not paid: %s", failed)
	}
	return s.orders
}

// podAddress returns the address of the trial's pod of a component.
func podAddress(t *testing.T, component string) string {
	t.Helper()
	pods, err := server.client.CoreV1().Pods(trialNamespace).List(t.Context(), meta.ListOptions{LabelSelector: "app.kubernetes.io/component=" + component})
	if err != nil || len(pods.Items) != 1 {
		t.Fatalf("pods of %s: %v, %v", component, pods.Items, err)
	}
	return pods.Items[0].Status.PodIP
}

// drainable returns a node with a replica of the bridge and without the one NATS server
// and the one simulator, which keep what they know in memory and cannot move.
func drainable(t *testing.T) string {
	t.Helper()
	pods, err := server.client.CoreV1().Pods(trialNamespace).List(t.Context(), meta.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	on := map[string][]string{}
	for i := range pods.Items {
		p := &pods.Items[i]
		if p.DeletionTimestamp == nil {
			on[p.Spec.NodeName] = append(on[p.Spec.NodeName], p.Labels["app.kubernetes.io/component"])
		}
	}
	for node, components := range on {
		if slices.Contains(components, "bridge") && !slices.Contains(components, "nats") && !slices.Contains(components, "simulator") {
			return node
		}
	}
	t.Fatalf("no node can be drained: %v", on)
	return ""
}

// checkPaid asks the provider and the stream of statuses: each order exists, was created
// once, and completed once, with statuses that are numbered without a gap.
func checkPaid(t *testing.T, orders []string) {
	t.Helper()
	simulator := "http://" + podAddress(t, "simulator") + ":8900/simulator/"
	var state struct {
		Finished int   `json:"finished"`
		Orders   []any `json:"orders"`
	}
	getJSON(t, simulator+"state", &state)
	if state.Finished != len(orders) || len(state.Orders) != 0 {
		t.Errorf("the provider has %d orders that are over and %d open ones, want %d and 0", state.Finished, len(state.Orders), len(orders))
	}
	statuses := readStatuses(t, podAddress(t, "nats"))
	for _, order := range orders {
		var calls struct {
			Made int `json:"made"`
		}
		if getJSON(t, simulator+"calls/"+order, &calls); calls.Made != 1 {
			t.Errorf("%s: the provider made %d orders", order, calls.Made)
		}
		completed := 0
		for i, s := range statuses[order] {
			if s.Sequence != i+1 {
				t.Errorf("%s: status %d has the sequence %d", order, i+1, s.Sequence)
			}
			if s.Status == "completed" {
				completed++
			}
		}
		if completed != 1 {
			t.Errorf("%s: completed %d times: %v", order, completed, statuses[order])
		}
	}
	if len(statuses) != len(orders) {
		t.Errorf("the stream has %d orders, want %d", len(statuses), len(orders))
	}
}

// status is what the test reads of a status event.
type status struct {
	Order    string `json:"order_id"`
	Status   string `json:"status"`
	Sequence int    `json:"sequence"`
}

// readStatuses returns all statuses that are stored, by order.
func readStatuses(t *testing.T, address string) map[string][]status {
	t.Helper()
	connection, err := nats.Connect("nats://" + address + ":4222")
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	js, err := jetstream.New(connection)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "POS_STATUS")
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := stream.OrderedConsumer(t.Context(), jetstream.OrderedConsumerConfig{FilterSubjects: []string{"pos.*.*.status"}})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]status{}
	for {
		m, err := consumer.Next(jetstream.FetchMaxWait(10 * time.Second))
		if err != nil {
			t.Fatalf("read statuses: %v", err)
		}
		var s status
		if err := json.Unmarshal(m.Data(), &s); err != nil {
			t.Fatal(err)
		}
		all[s.Order] = append(all[s.Order], s)
		if meta, err := m.Metadata(); err != nil || meta.NumPending == 0 {
			return all
		}
	}
}

func getJSON(t *testing.T, url string, v any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(v); err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
}
