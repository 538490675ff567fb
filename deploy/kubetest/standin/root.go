package standin

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	core "k8s.io/api/core/v1"
)

// root is the folder that a pod's program sees as its root.
type root string

// lay makes the root folder of a pod: its program, its volumes, hosts and /tmp.
func (r root) lay(ctx context.Context, from sources, p *core.Pod, program, hosts string, group int) error {
	for _, folder := range []string{"etc", "tmp"} {
		if err := os.MkdirAll(filepath.Join(string(r), folder), 0o755); err != nil {
			return fmt.Errorf("make root folder: %w", err)
		}
	}
	if err := os.Chmod(filepath.Join(string(r), "tmp"), 0o777|os.ModeSticky); err != nil {
		return fmt.Errorf("open /tmp: %w", err)
	}
	if err := r.writeHosts(hosts); err != nil {
		return err
	}
	if err := copyFile(program, filepath.Join(string(r), filepath.Base(program))); err != nil {
		return err
	}
	for _, m := range p.Spec.Containers[0].VolumeMounts {
		folder := filepath.Join(string(r), m.MountPath)
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
			files, err := from.content(ctx, p.Namespace, &p.Spec.Volumes[i])
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

// writeHosts writes the hosts file with names of Services, if it is another than before.
func (r root) writeHosts(names string) error {
	file := filepath.Join(string(r), "etc", "hosts")
	text := []byte("127.0.0.1 localhost\n" + names)
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, text) {
		return nil
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return fmt.Errorf("write hosts: %w", err)
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
