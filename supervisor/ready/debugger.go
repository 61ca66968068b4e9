package ready

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// WithoutDebuggers returns what the processes pids listen on, as listening tells, but for the
// sockets of a debugger: it listens before the app does (dlv --listen, node --inspect), and goes on
// while the app is stopped. It goes by command lines and environments, which are those of /proc;
// elsewhere every socket is the app's.
func WithoutDebuggers(pids []int, listening func(pids []int) []netip.AddrPort) []netip.AddrPort {
	all := listening(pids)
	if len(all) == 0 {
		return nil
	}
	var apps []int
	var ports []uint16
	for _, pid := range pids {
		args, env := list(pid, "cmdline"), list(pid, "environ")
		if !isDebugger(args) {
			apps = append(apps, pid)
		}
		ports = append(ports, debuggerPorts(args, env)...)
	}
	if len(apps) < len(pids) {
		all = listening(apps)
	}
	return slices.DeleteFunc(all, func(a netip.AddrPort) bool { return slices.Contains(ports, a.Port()) })
}

// list reads a file of strings that end with a zero byte.
func list(pid int, file string) []string {
	text, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), file)) // gone, or another user's
	return strings.Split(strings.TrimRight(string(text), "\x00"), "\x00")
}

// isDebugger reports whether a program starts or attaches to the app, and listens for a debugger's
// user interface alone.
func isDebugger(args []string) bool {
	switch filepath.Base(args[0]) {
	case "dlv", "dlv-dap", "gdbserver", "lldb-server":
		return true
	}
	// debugpy, Python's, has its adapter in a process of its own.
	return slices.ContainsFunc(args, func(a string) bool { return filepath.Base(a) == "adapter" && strings.Contains(a, "debugpy") })
}

const nodeInspector = 9229 // the port of --inspect without one

// debuggerPorts are those on which a process lets itself be debugged.
func debuggerPorts(args, env []string) []uint16 {
	for _, kv := range env {
		switch name, value, _ := strings.Cut(kv, "="); name {
		case "NODE_OPTIONS", "JAVA_TOOL_OPTIONS":
			args = append(args, strings.Fields(value)...)
		}
	}
	var ports []uint16
	for _, arg := range args {
		switch name, value, _ := strings.Cut(arg, "="); {
		case name == "--inspect", name == "--inspect-brk", name == "--inspect-wait", name == "--inspect-port", name == "--debug-port":
			ports = append(ports, portIn(value, nodeInspector))
		case strings.HasPrefix(name, "-agentlib:jdwp"), strings.HasPrefix(name, "-Xrunjdwp"):
			if _, address, ok := strings.Cut(arg, "address="); ok {
				address, _, _ = strings.Cut(address, ",")
				ports = append(ports, portIn(address, 0))
			}
		}
	}
	return ports
}

// portIn reads the port of [host:]port; otherwise is what an address without one has.
func portIn(address string, otherwise uint16) uint16 {
	port := address
	if _, p, err := net.SplitHostPort(address); err == nil {
		port = p
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return otherwise
	}
	return uint16(n)
}
