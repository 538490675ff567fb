package standin

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"path"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// kubelet does on all nodes what is to be done with pods.
type kubelet struct {
	client  kubernetes.Interface
	machine machine
	log     *log.Logger
	// dir holds the pods' root folders.
	dir string
	// programs and real are those of Nodes.
	programs map[string]string
	real     func(namespace string) bool
	pods     map[types.UID]*pod
	// names are the lines of the pods' hosts files, by namespace; see serviceNames.
	names map[string]string
}

// note logs an error; the next look at the pods tries again.
func (k *kubelet) note(err error) {
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		k.log.Print(err)
	}
}

func (k *kubelet) root(p *core.Pod) root { return root(filepath.Join(k.dir, string(p.UID))) }

// syncPods looks at every pod once.
func (k *kubelet) syncPods(ctx context.Context) error {
	list, err := k.client.CoreV1().Pods("").List(ctx, meta.ListOptions{})
	if err != nil {
		return fmt.Errorf("list pods: %w", err)
	}
	if k.names, err = k.serviceNames(ctx, list.Items); err != nil {
		return err
	}
	there := map[types.UID]bool{}
	for i := range list.Items {
		p := &list.Items[i]
		there[p.UID] = true
		if p.Spec.NodeName == "" {
			continue
		}
		if err := k.sync(ctx, p); err != nil {
			k.note(fmt.Errorf("%s/%s: %w", p.Namespace, p.Name, err))
		}
	}
	for uid, known := range k.pods {
		if !there[uid] && (known.process == nil || known.process.over()) {
			delete(k.pods, uid)
		}
	}
	return nil
}

// sync does for one pod what there is to do now.
func (k *kubelet) sync(ctx context.Context, p *core.Pod) error {
	known := k.pods[p.UID]
	if p.DeletionTimestamp != nil {
		return k.end(ctx, p, known)
	}
	if known == nil {
		missing, err := k.machine.sources.missing(ctx, p)
		if err != nil || missing {
			return err
		}
		known = &pod{address: k.machine.network.address()}
		k.pods[p.UID] = known
		if k.program(p) == "" {
			if err := k.machine.logs.write(p.Namespace, p.Name, "A stand-in node says that this pod runs."); err != nil {
				return err
			}
		}
	}
	if known.published.Phase == core.PodSucceeded || known.published.Phase == core.PodFailed {
		return nil
	}
	if program := k.program(p); program != "" && (known.process == nil || known.process.over() && p.Spec.RestartPolicy == core.RestartPolicyAlways) {
		if known.process != nil {
			known.restarts++
		}
		started, err := k.machine.start(ctx, p, k.root(p), known.address, program, k.names[p.Namespace])
		if err != nil {
			return err
		}
		known.process = started
		k.log.Printf("started %s/%s at %s on %s", p.Namespace, p.Name, known.address, p.Spec.NodeName)
	}
	if known.process != nil {
		if err := k.root(p).writeHosts(k.names[p.Namespace]); err != nil {
			return err
		}
	}
	return k.publish(ctx, p, known, known.status(ctx, p))
}

// program returns the file that stands for a pod's image; empty when the pod is only
// said to run.
func (k *kubelet) program(p *core.Pod) string {
	if !k.real(p.Namespace) {
		return ""
	}
	name, _, _ := strings.Cut(path.Base(p.Spec.Containers[0].Image), ":")
	return k.programs[name]
}

// end stops the process of a deleted pod, and then removes the pod.
func (k *kubelet) end(ctx context.Context, p *core.Pod, known *pod) error {
	if known != nil && known.process != nil && !known.process.over() {
		switch {
		case known.toEnd.IsZero():
			grace := time.Duration(*p.DeletionGracePeriodSeconds) * time.Second
			known.toEnd = time.Now().Add(grace)
			k.log.Printf("SIGTERM to %s/%s, grace period %v", p.Namespace, p.Name, grace)
			return known.process.terminate()
		case time.Now().After(known.toEnd):
			k.log.Printf("SIGKILL to %s/%s", p.Namespace, p.Name)
			return known.process.kill()
		}
		return nil
	}
	now := int64(0)
	if err := k.client.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, meta.DeleteOptions{
		GracePeriodSeconds: &now, Preconditions: &meta.Preconditions{UID: &p.UID},
	}); err != nil {
		return fmt.Errorf("remove pod: %w", err)
	}
	k.log.Printf("removed %s/%s", p.Namespace, p.Name)
	return nil
}

// publish tells the API server of a status, if it is another than before.
func (k *kubelet) publish(ctx context.Context, p *core.Pod, known *pod, status core.PodStatus) error {
	if status.Phase == known.published.Phase && reflect.DeepEqual(status.ContainerStatuses, known.published.ContainerStatuses) {
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
	if _, err := k.client.CoreV1().Pods(p.Namespace).Patch(ctx, p.Name, types.StrategicMergePatchType, patch, meta.PatchOptions{}, "status"); err != nil {
		return fmt.Errorf("publish status: %w", err)
	}
	known.published = status
	k.log.Printf("%s/%s is %s, ready %v", p.Namespace, p.Name, status.Phase, status.ContainerStatuses[0].Ready)
	return nil
}

// serviceNames returns, by namespace, the lines of a hosts file with the names of Services and
// the address of one pod behind each. They take the place of DNS and of Services'
// addresses.
func (k *kubelet) serviceNames(ctx context.Context, pods []core.Pod) (map[string]string, error) {
	services, err := k.client.CoreV1().Services("").List(ctx, meta.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list services: %w", err)
	}
	hosts := map[string]string{}
	for i := range services.Items {
		s := &services.Items[i]
		if len(s.Spec.Selector) == 0 {
			continue
		}
		for j := range pods {
			p := &pods[j]
			known := k.pods[p.UID]
			if p.Namespace == s.Namespace && known != nil && p.DeletionTimestamp == nil && labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(p.Labels)) {
				hosts[s.Namespace] += fmt.Sprintf("%s %s %[2]s.%[3]s %[2]s.%[3]s.svc\n", known.address, s.Name, s.Namespace)
				break
			}
		}
	}
	return hosts, nil
}
