// Package standin plays the nodes of a Kubernetes cluster for tests: it registers
// them, keeps their leases, and does what a kubelet does with pods, without
// containers. A pod whose image it has a program for runs as a process with
// a root folder, a user and a network namespace of its own; any other pod
// is only said to be running. It also plays a cloud's load balancer.
//
// What it does not do: images, liveness probes, exec, hooks of containers,
// more than one container of a pod, Services' own addresses (a pod finds the names
// of Services in its hosts file), and network policies.
package standin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/netip"
	"path/filepath"
	"time"

	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

const (
	// nodeCount leaves, with NATS and the simulator on one node each, two nodes
	// that can be drained.
	nodeCount = 4
	leaseFor  = 40 * time.Second
	// look is how often pods are looked at.
	look = 200 * time.Millisecond
)

// Nodes plays the nodes of one cluster.
type Nodes struct {
	// Client of the cluster, with all rights.
	Client kubernetes.Interface
	// Dir holds the pods' folders.
	Dir string
	// Programs are the files that stand for images, by the last part of the
	// image's name.
	Programs map[string]string
	// Real tells in which namespaces pods run as processes.
	Real func(namespace string) bool
	// Log gets a line for everything that happens to a pod.
	Log io.Writer
}

// Run plays the nodes until ctx ends, in the network namespace that the caller is in.
// The pods' processes end with the caller's process namespace.
func (n *Nodes) Run(ctx context.Context) error {
	network, err := newNetwork()
	if err != nil {
		return err
	}
	outputs := logs{dir: filepath.Join(n.Dir, "logs")}
	ended := make(chan error, 1)
	if err := outputs.serve(ctx, ended); err != nil {
		return err
	}
	k := &kubelet{
		client: n.Client, machine: machine{sources: sources{client: n.Client}, network: network, logs: outputs},
		log: log.New(n.Log, "", log.Ltime|log.Lmicroseconds), dir: filepath.Join(n.Dir, "pods"),
		programs: n.Programs, real: n.Real, pods: map[types.UID]*pod{},
	}
	for i := range nodeCount {
		if err := n.register(ctx, fmt.Sprintf("node-%d", i+1), fmt.Sprintf("zone-%d", i%3+1)); err != nil {
			return err
		}
	}
	renewed := time.Now()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-ended:
			return err
		case <-tick.C:
		}
		if time.Since(renewed) > leaseFor/4 {
			renewed = time.Now()
			for i := range nodeCount {
				k.note(n.renew(ctx, fmt.Sprintf("node-%d", i+1)))
			}
		}
		k.note(n.balance(ctx))
		k.note(k.syncPods(ctx))
	}
}

// register makes a node that is ready.
func (n *Nodes) register(ctx context.Context, name, zone string) error {
	node := &core.Node{ObjectMeta: meta.ObjectMeta{Name: name, Labels: map[string]string{
		core.LabelHostname: name, core.LabelTopologyZone: zone, core.LabelOSStable: "linux", core.LabelArchStable: "amd64",
	}}}
	if _, err := n.Client.CoreV1().Nodes().Create(ctx, node, meta.CreateOptions{}); err != nil {
		return fmt.Errorf("register node: %w", err)
	}
	size := core.ResourceList{
		core.ResourceCPU: resource.MustParse("8"), core.ResourceMemory: resource.MustParse("16Gi"),
		core.ResourcePods: resource.MustParse("110"), core.ResourceEphemeralStorage: resource.MustParse("100Gi"),
	}
	status := core.NodeStatus{
		Capacity: size, Allocatable: size,
		Addresses:       []core.NodeAddress{{Type: core.NodeInternalIP, Address: gateway.Addr().String()}},
		DaemonEndpoints: core.NodeDaemonEndpoints{KubeletEndpoint: core.DaemonEndpoint{Port: logPort}},
		Conditions: []core.NodeCondition{{
			Type: core.NodeReady, Status: core.ConditionTrue, Reason: "KubeletReady",
			LastHeartbeatTime: meta.Now(), LastTransitionTime: meta.Now(),
		}},
	}
	patch, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		return fmt.Errorf("encode node: %w", err)
	}
	if _, err := n.Client.CoreV1().Nodes().Patch(ctx, name, types.StrategicMergePatchType, patch, meta.PatchOptions{}, "status"); err != nil {
		return fmt.Errorf("make node ready: %w", err)
	}
	return n.renew(ctx, name)
}

// renew keeps a node's lease.
func (n *Nodes) renew(ctx context.Context, name string) error {
	leases := n.Client.CoordinationV1().Leases(core.NamespaceNodeLease)
	now, seconds := meta.NowMicro(), int32(leaseFor/time.Second)
	lease, err := leases.Get(ctx, name, meta.GetOptions{})
	if apierrors.IsNotFound(err) {
		lease = &coordination.Lease{ObjectMeta: meta.ObjectMeta{Name: name}, Spec: coordination.LeaseSpec{
			HolderIdentity: &name, LeaseDurationSeconds: &seconds, RenewTime: &now,
		}}
		_, err = leases.Create(ctx, lease, meta.CreateOptions{})
	} else if err == nil {
		lease.Spec.RenewTime = &now
		_, err = leases.Update(ctx, lease, meta.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("renew lease: %w", err)
	}
	return nil
}

// balance gives an address to Services that wait for a load balancer.
func (n *Nodes) balance(ctx context.Context) error {
	services, err := n.Client.CoreV1().Services("").List(ctx, meta.ListOptions{})
	if err != nil {
		return fmt.Errorf("list services: %w", err)
	}
	for i := range services.Items {
		s := &services.Items[i]
		if s.Spec.Type != core.ServiceTypeLoadBalancer || len(s.Status.LoadBalancer.Ingress) > 0 {
			continue
		}
		s.Status.LoadBalancer.Ingress = []core.LoadBalancerIngress{{IP: balancer.String()}}
		if _, err := n.Client.CoreV1().Services(s.Namespace).UpdateStatus(ctx, s, meta.UpdateOptions{}); err != nil {
			return fmt.Errorf("give service an address: %w", err)
		}
	}
	return nil
}

// balancer is the address of every load balancer; nothing answers there.
var balancer = netip.MustParseAddr("192.0.2.1")
