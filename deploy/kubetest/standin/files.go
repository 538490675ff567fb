package standin

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"
)

// content returns the files of a volume; nil for an empty one.
func (n *Nodes) content(ctx context.Context, namespace string, v *core.Volume) (map[string][]byte, error) {
	switch {
	case v.Secret != nil:
		s, err := n.Client.CoreV1().Secrets(namespace).Get(ctx, v.Secret.SecretName, meta.GetOptions{})
		if err != nil {
			return nil, err
		}
		return s.Data, nil
	case v.ConfigMap != nil:
		c, err := n.Client.CoreV1().ConfigMaps(namespace).Get(ctx, v.ConfigMap.Name, meta.GetOptions{})
		if err != nil {
			return nil, err
		}
		files := map[string][]byte{}
		for name, text := range c.Data {
			files[name] = []byte(text)
		}
		return files, nil
	}
	return nil, nil
}

// missing reports whether a pod has to wait for a Secret or ConfigMap.
func (n *Nodes) missing(ctx context.Context, p *core.Pod) (bool, error) {
	for i := range p.Spec.Volumes {
		_, err := n.content(ctx, p.Namespace, &p.Spec.Volumes[i])
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		if err != nil {
			return false, fmt.Errorf("read volume: %w", err)
		}
	}
	return false, nil
}

// lay makes the root folder of a pod: its program, its volumes, hosts and /tmp.
func (n *Nodes) lay(ctx context.Context, p *core.Pod, program string, group int) error {
	root := n.root(p)
	for _, folder := range []string{"etc", "tmp"} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o755); err != nil {
			return fmt.Errorf("make root folder: %w", err)
		}
	}
	if err := os.Chmod(filepath.Join(root, "tmp"), 0o777|os.ModeSticky); err != nil {
		return fmt.Errorf("open /tmp: %w", err)
	}
	if err := n.writeHosts(p); err != nil {
		return err
	}
	if err := copyFile(program, filepath.Join(root, filepath.Base(program))); err != nil {
		return err
	}
	for _, m := range p.Spec.Containers[0].VolumeMounts {
		folder := filepath.Join(root, m.MountPath)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return fmt.Errorf("make mount: %w", err)
		}
		if err := own(folder, group, 0o2770); err != nil {
			return err
		}
		for i := range p.Spec.Volumes {
			if p.Spec.Volumes[i].Name != m.Name {
				continue
			}
			files, err := n.content(ctx, p.Namespace, &p.Spec.Volumes[i])
			if err != nil {
				return fmt.Errorf("read volume: %w", err)
			}
			for name, b := range files {
				file := filepath.Join(folder, name)
				if err := os.WriteFile(file, b, 0o640); err != nil {
					return fmt.Errorf("write volume: %w", err)
				}
				if err := own(file, group, 0o440); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// own gives a file to a group, as fsGroup does.
func own(file string, group int, mode os.FileMode) error {
	if err := os.Chown(file, 0, group); err != nil {
		return fmt.Errorf("give file to the pod's group: %w", err)
	}
	if mode&0o2000 != 0 {
		mode = mode&0o777 | os.ModeSetgid
	}
	if err := os.Chmod(file, mode); err != nil {
		return fmt.Errorf("set mode: %w", err)
	}
	return nil
}

// copyFile copies a program, or links to it where it can. A restart finds it there.
func copyFile(from, to string) error {
	if err := os.Link(from, to); err == nil || os.IsExist(err) {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("open program: %w", err)
	}
	defer in.Close() //nolint:errcheck // only read
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return fmt.Errorf("make program: %w", err)
	}
	if _, err := io.Copy(out, in); err != nil {
		_ = out.Close()
		return fmt.Errorf("copy program: %w", err)
	}
	return out.Close()
}

// environment is that of a container, in its order.
type environment struct {
	names  []string
	values map[string]string
}

// environment returns the variables of a container, with $(NAME) replaced.
func (n *Nodes) environment(ctx context.Context, p *core.Pod, c *core.Container) (environment, error) {
	env := environment{names: []string{"HOSTNAME"}, values: map[string]string{"HOSTNAME": p.Name}}
	for _, e := range c.Env {
		value := expansion.Expand(e.Value, expansion.MappingFuncFor(env.values))
		if from := e.ValueFrom; from != nil {
			switch {
			case from.FieldRef != nil && from.FieldRef.FieldPath == "metadata.name":
				value = p.Name
			case from.SecretKeyRef != nil:
				s, err := n.Client.CoreV1().Secrets(p.Namespace).Get(ctx, from.SecretKeyRef.Name, meta.GetOptions{})
				if err != nil {
					return env, fmt.Errorf("read variable %s: %w", e.Name, err)
				}
				value = string(s.Data[from.SecretKeyRef.Key])
			default:
				return env, fmt.Errorf("variable %s has a source that stand-in nodes do not know", e.Name)
			}
		}
		if _, again := env.values[e.Name]; !again {
			env.names = append(env.names, e.Name)
		}
		env.values[e.Name] = value
	}
	return env, nil
}

// names returns, by namespace, the lines of a hosts file with the names of Services and
// the address of one pod behind each. They take the place of DNS and of Services'
// addresses.
func (n *Nodes) names(ctx context.Context, pods []core.Pod) (map[string]string, error) {
	services, err := n.Client.CoreV1().Services("").List(ctx, meta.ListOptions{})
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
			known := n.pods[p.UID]
			if p.Namespace == s.Namespace && known != nil && p.DeletionTimestamp == nil && labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(p.Labels)) {
				hosts[s.Namespace] += fmt.Sprintf("%s %s %[2]s.%[3]s %[2]s.%[3]s.svc\n", known.address, s.Name, s.Namespace)
				break
			}
		}
	}
	return hosts, nil
}

// writeHosts writes a pod's hosts file, if it is another than before.
func (n *Nodes) writeHosts(p *core.Pod) error {
	file := filepath.Join(n.root(p), "etc", "hosts")
	text := []byte("127.0.0.1 localhost\n" + n.hosts[p.Namespace])
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, text) {
		return nil
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return fmt.Errorf("write hosts: %w", err)
	}
	return nil
}

// root is the folder that a pod's program sees as its root.
func (n *Nodes) root(p *core.Pod) string { return filepath.Join(n.Dir, "pods", string(p.UID)) }
