package standin

import (
	"context"
	"fmt"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"
)

// sources are the Secrets and ConfigMaps that pods read.
type sources struct{ client kubernetes.Interface }

// content returns the files of a volume; nil for an empty one.
func (s sources) content(ctx context.Context, namespace string, v *core.Volume) (map[string][]byte, error) {
	switch {
	case v.Secret != nil:
		secret, err := s.client.CoreV1().Secrets(namespace).Get(ctx, v.Secret.SecretName, meta.GetOptions{})
		if err != nil {
			return nil, err
		}
		return secret.Data, nil
	case v.ConfigMap != nil:
		c, err := s.client.CoreV1().ConfigMaps(namespace).Get(ctx, v.ConfigMap.Name, meta.GetOptions{})
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
func (s sources) missing(ctx context.Context, p *core.Pod) (bool, error) {
	for i := range p.Spec.Volumes {
		_, err := s.content(ctx, p.Namespace, &p.Spec.Volumes[i])
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		if err != nil {
			return false, fmt.Errorf("read volume: %w", err)
		}
	}
	return false, nil
}

// environment is that of a container, in its order.
type environment struct {
	names  []string
	values map[string]string
}

// environment returns the variables of a container, with $(NAME) replaced.
func (s sources) environment(ctx context.Context, p *core.Pod, c *core.Container) (environment, error) {
	env := environment{names: []string{"HOSTNAME"}, values: map[string]string{"HOSTNAME": p.Name}}
	for _, e := range c.Env {
		value := expansion.Expand(e.Value, expansion.MappingFuncFor(env.values))
		if from := e.ValueFrom; from != nil {
			switch {
			case from.FieldRef != nil && from.FieldRef.FieldPath == "metadata.name":
				value = p.Name
			case from.SecretKeyRef != nil:
				secret, err := s.client.CoreV1().Secrets(p.Namespace).Get(ctx, from.SecretKeyRef.Name, meta.GetOptions{})
				if err != nil {
					return env, fmt.Errorf("read variable %s: %w", e.Name, err)
				}
				value = string(secret.Data[from.SecretKeyRef.Key])
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
