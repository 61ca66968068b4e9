//go:build linux && (amd64 || arm64)

package seccomp

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// calls are the system calls that are asked about; execs only where they lose something by the filter.
var (
	calls = []uint32{unix.SYS_BIND, unix.SYS_LISTEN}
	execs = []uint32{unix.SYS_EXECVE, unix.SYS_EXECVEAT}
)

// filter asks about calls of our own architecture. On x86-64 the numbers of the x32
// ABI have a bit set that ours have not, so they are allowed.
func filter(calls ...uint32) []unix.SockFilter {
	const offNumber, offArch = 0, 4 // in struct seccomp_data
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	jump := func(equal uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: yes, Jf: no, K: equal}
	}
	result := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	n := uint8(len(calls))
	program := []unix.SockFilter{load(offArch), jump(auditArch, 0, n+1), load(offNumber)}
	for i, call := range calls {
		program = append(program, jump(call, n-uint8(i), 0))
	}
	return append(program, result(unix.SECCOMP_RET_ALLOW), result(unix.SECCOMP_RET_USER_NOTIF))
}

// flags, the best first. NEW_LISTENER makes the descriptor. SPEC_ALLOW keeps the
// kernel (before 5.16 by default) from switching on mitigations that slow the app
// down: this filter is no sandbox. WAIT_KILLABLE_RECV (5.19) keeps all but fatal
// signals away from a call that we are answering: Go's SIGURG would interrupt it
// again and again.
var flags = []uintptr{
	unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
	unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW,
}

// Install puts the filter on the calling thread, to which the caller's goroutine must
// be locked for good, and returns the descriptor of its notifications, close-on-exec.
// Without CAP_SYS_ADMIN the thread and what it forks cannot gain privileges any more
// (no_new_privs): that is the kernel's condition. Then each exec is asked about, too: asksExec. Before that
// loses is called; its error is returned, and nothing has been done.
func Install(loses func() error) (fd int, asksExec bool, err error) {
	fd, err = install(filter(calls...))
	if errors.Is(err, unix.EACCES) {
		if err := loses(); err != nil {
			return -1, false, err
		}
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return -1, false, fmt.Errorf("set no_new_privs: %w", err)
		}
		asksExec = true
		fd, err = install(filter(append(execs, calls...)...))
	}
	switch {
	case errors.Is(err, unix.EBUSY):
		return -1, false, errors.New("the system calls of this process are watched already, by the container's runtime or by another devguard")
	case err != nil:
		return -1, false, fmt.Errorf("install a seccomp filter: %w", err)
	}
	return fd, asksExec, nil
}

func install(program []unix.SockFilter) (int, error) {
	p := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	var errno unix.Errno
	for _, f := range flags {
		var fd uintptr
		fd, _, errno = unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, f, uintptr(unsafe.Pointer(&p)))
		runtime.KeepAlive(program)
		if errno == 0 {
			return int(fd), nil
		}
		if errno != unix.EINVAL { // an older kernel does not know a flag
			break
		}
	}
	return -1, errno
}
