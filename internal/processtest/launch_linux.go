package processtest

import "syscall"

// attributes has the kernel kill a child when the thread that started it is
// gone, so that a test process that crashes or is killed leaves nothing behind.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
