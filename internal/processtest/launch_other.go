//go:build !linux

package processtest

import "syscall"

// attributes keeps a terminal's Ctrl-C from the children: the test ends them.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
