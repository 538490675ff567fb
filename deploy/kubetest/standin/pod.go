package standin

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path"
	"reflect"
	"strconv"
	"strings"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// pod is what a node knows of a pod that was given to it.
type pod struct {
	address netip.Addr
	// process is nil for a pod that only is said to run.
	process *process
	// restarts counts how often the process was started again.
	restarts int32
	// toEnd is when the process is killed; zero until the pod is deleted.
	toEnd time.Time
	// published is the status that the API server has been told.
	published core.PodStatus
}

// syncPods looks at every pod once.
func (n *Nodes) syncPods(ctx context.Context) error {
	list, err := n.Client.CoreV1().Pods("").List(ctx, meta.ListOptions{})
	if err != nil {
		return fmt.Errorf("list pods: %w", err)
	}
	if n.hosts, err = n.names(ctx, list.Items); err != nil {
		return err
	}
	there := map[types.UID]bool{}
	for i := range list.Items {
		p := &list.Items[i]
		there[p.UID] = true
		if p.Spec.NodeName == "" {
			continue
		}
		if err := n.sync(ctx, p); err != nil {
			n.note(fmt.Errorf("%s/%s: %w", p.Namespace, p.Name, err))
		}
	}
	for uid, known := range n.pods {
		if !there[uid] && (known.process == nil || known.process.over()) {
			delete(n.pods, uid)
		}
	}
	return nil
}

// sync does for one pod what there is to do now.
func (n *Nodes) sync(ctx context.Context, p *core.Pod) error {
	known := n.pods[p.UID]
	if p.DeletionTimestamp != nil {
		return n.end(ctx, p, known)
	}
	if known == nil {
		missing, err := n.missing(ctx, p)
		if err != nil || missing {
			return err
		}
		known = &pod{address: n.network.address()}
		n.pods[p.UID] = known
		if err := n.beginLog(p); err != nil {
			return err
		}
	}
	if known.published.Phase == core.PodSucceeded || known.published.Phase == core.PodFailed {
		return nil
	}
	if program := n.program(p); program != "" && (known.process == nil || known.process.over() && p.Spec.RestartPolicy == core.RestartPolicyAlways) {
		if known.process != nil {
			known.restarts++
		}
		started, err := n.start(ctx, p, known.address, program)
		if err != nil {
			return err
		}
		known.process = started
		n.log.Printf("started %s/%s at %s on %s", p.Namespace, p.Name, known.address, p.Spec.NodeName)
	}
	if known.process != nil {
		if err := n.writeHosts(p); err != nil {
			return err
		}
	}
	return n.publish(ctx, p, known, known.status(ctx, p))
}

// program returns the file that stands for a pod's image; empty when the pod is only
// said to run.
func (n *Nodes) program(p *core.Pod) string {
	if !n.Real(p.Namespace) {
		return ""
	}
	name, _, _ := strings.Cut(path.Base(p.Spec.Containers[0].Image), ":")
	return n.Programs[name]
}

// end stops the process of a deleted pod, and then removes the pod.
func (n *Nodes) end(ctx context.Context, p *core.Pod, known *pod) error {
	if known != nil && known.process != nil && !known.process.over() {
		switch {
		case known.toEnd.IsZero():
			grace := time.Duration(*p.DeletionGracePeriodSeconds) * time.Second
			known.toEnd = time.Now().Add(grace)
			n.log.Printf("SIGTERM to %s/%s, grace period %v", p.Namespace, p.Name, grace)
			return known.process.terminate()
		case time.Now().After(known.toEnd):
			n.log.Printf("SIGKILL to %s/%s", p.Namespace, p.Name)
			return known.process.kill()
		}
		return nil
	}
	now := int64(0)
	if err := n.Client.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, meta.DeleteOptions{
		GracePeriodSeconds: &now, Preconditions: &meta.Preconditions{UID: &p.UID},
	}); err != nil {
		return fmt.Errorf("remove pod: %w", err)
	}
	n.log.Printf("removed %s/%s", p.Namespace, p.Name)
	return nil
}

// status is what a kubelet would say of a pod now.
func (k *pod) status(ctx context.Context, p *core.Pod) core.PodStatus {
	ready := core.ConditionTrue
	state := core.ContainerState{Running: &core.ContainerStateRunning{StartedAt: p.CreationTimestamp}}
	phase := core.PodRunning
	code := -1
	if k.process != nil && k.process.over() {
		code = k.process.code()
	} else if k.process == nil && p.Spec.RestartPolicy == core.RestartPolicyNever {
		code = 0
	}
	switch {
	case code >= 0:
		ready = core.ConditionFalse
		state = core.ContainerState{Terminated: &core.ContainerStateTerminated{ExitCode: int32(code), StartedAt: p.CreationTimestamp}}
		if p.Spec.RestartPolicy == core.RestartPolicyNever {
			phase = core.PodSucceeded
			if code > 0 {
				phase = core.PodFailed
			}
		}
	case k.process != nil && !answers(ctx, p, k.address):
		ready = core.ConditionFalse
	}
	status := core.PodStatus{
		Phase: phase, PodIP: k.address.String(), PodIPs: []core.PodIP{{IP: k.address.String()}},
		HostIP: gateway.Addr().String(), StartTime: &p.CreationTimestamp,
	}
	for condition, is := range map[core.PodConditionType]core.ConditionStatus{
		core.PodInitialized: core.ConditionTrue, core.ContainersReady: ready, core.PodReady: ready,
	} {
		status.Conditions = append(status.Conditions, core.PodCondition{Type: condition, Status: is})
	}
	started, isReady := code < 0, ready == core.ConditionTrue
	for _, c := range p.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, core.ContainerStatus{
			Name: c.Name, Image: c.Image, ImageID: c.Image, ContainerID: "standin://" + string(p.UID),
			Ready: isReady, Started: &started, RestartCount: k.restarts, State: state,
		})
	}
	return status
}

// publish tells the API server of a status, if it is another than before.
func (n *Nodes) publish(ctx context.Context, p *core.Pod, k *pod, status core.PodStatus) error {
	if status.Phase == k.published.Phase && reflect.DeepEqual(status.ContainerStatuses, k.published.ContainerStatuses) {
		return nil
	}
	told := status.DeepCopy()
	for i := range told.Conditions {
		told.Conditions[i].LastTransitionTime = meta.Now()
	}
	patch, err := json.Marshal(map[string]any{"status": told})
	if err != nil {
		return fmt.Errorf("encode status: %w", err)
	}
	if _, err := n.Client.CoreV1().Pods(p.Namespace).Patch(ctx, p.Name, types.StrategicMergePatchType, patch, meta.PatchOptions{}, "status"); err != nil {
		return fmt.Errorf("publish status: %w", err)
	}
	k.published = status
	n.log.Printf("%s/%s is %s, ready %v", p.Namespace, p.Name, status.Phase, status.ContainerStatuses[0].Ready)
	return nil
}

// answers asks a pod's readiness probe.
func answers(ctx context.Context, p *core.Pod, address netip.Addr) bool {
	probe := p.Spec.Containers[0].ReadinessProbe
	if probe == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	port := func(of intstr.IntOrString) string {
		for _, c := range p.Spec.Containers[0].Ports {
			if c.Name == of.StrVal {
				return net.JoinHostPort(address.String(), strconv.Itoa(int(c.ContainerPort)))
			}
		}
		return net.JoinHostPort(address.String(), of.String())
	}
	if probe.HTTPGet == nil {
		var dial net.Dialer
		c, err := dial.DialContext(ctx, "tcp", port(probe.TCPSocket.Port))
		if err != nil {
			return false
		}
		return c.Close() == nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+port(probe.HTTPGet.Port)+probe.HTTPGet.Path, http.NoBody)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close() //nolint:errcheck // only read
	return response.StatusCode < http.StatusBadRequest
}
