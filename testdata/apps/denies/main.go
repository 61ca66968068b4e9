//go:build linux && amd64

// Command denies executes a command for which some system calls fail with EPERM, as in a
// container of Docker, or with a prefix with ENOSYS, as in one of Podman:
// denies seccomp,no-pidfd_getfd COMMAND ARGS...
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"unsafe"
)

var numbers = map[string]uint32{"seccomp": 317, "pidfd_getfd": 438, "process_vm_readv": 310, "pidfd_open": 434, "kcmp": 312, "ptrace": 101}

// instruction is a struct sock_filter.
type instruction struct {
	code   uint16
	jt, jf uint8
	k      uint32
}

func main() {
	runtime.LockOSThread()
	const load, equal, result = 0x20, 0x15, 0x06
	program := []instruction{{load, 0, 0, 0}}
	for _, name := range strings.Split(os.Args[1], ",") {
		name, absent := strings.CutPrefix(name, "no-")
		errno := syscall.EPERM
		if absent {
			errno = syscall.ENOSYS
		}
		number, ok := numbers[name]
		if !ok {
			fail(fmt.Errorf("system call %q is not known", name))
		}
		program = append(program, instruction{equal, 0, 1, number}, instruction{result, 0, 0, 0x50000 | uint32(errno)})
	}
	program = append(program, instruction{result, 0, 0, 0x7fff0000})
	filter := struct {
		length  uint16
		program *instruction
	}{uint16(len(program)), &program[0]}
	const setNoNewPrivs, setSeccomp, modeFilter = 38, 22, 2
	call(syscall.SYS_PRCTL, setNoNewPrivs, 1, 0)
	call(syscall.SYS_PRCTL, setSeccomp, modeFilter, uintptr(unsafe.Pointer(&filter)))
	path, err := exec.LookPath(os.Args[2])
	if err != nil {
		fail(err)
	}
	fail(syscall.Exec(path, os.Args[2:], os.Environ()))
}

func call(number, a, b, c uintptr) {
	if _, _, errno := syscall.RawSyscall6(number, a, b, c, 0, 0, 0); errno != 0 {
		fail(errno)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "denies:", err)
	os.Exit(1)
}
