package standin

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	core "k8s.io/api/core/v1"
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
