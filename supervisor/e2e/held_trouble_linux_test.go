package e2e_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/devguard/devguard/supervisor/testneed"
)

// heldApp starts devguard with held sockets and the app that listens on a free port.
func heldApp(t *testing.T, change func(d *devguard)) (d *devguard, dir, addr string) {
	t.Helper()
	addr = "127.0.0.1:" + freePort(t)
	d, dir = heldAt(t, addr, "", change)
	return d, dir, addr
}

// heldAt is heldApp for an address, with more of devguard.toml.
func heldAt(t *testing.T, addr, toml string, change func(d *devguard)) (d *devguard, dir string) {
	t.Helper()
	app, err := listensApp()
	if err != nil {
		t.Fatal(err)
	}
	dir = project(t, map[string]string{"sockets": "tag save0\nlisten " + addr, "devguard.toml": fmt.Sprintf(
		"[app]\nhold_sockets = true\ncommand = [%q, 'sockets']\n[watch]\ninclude = ['sockets']\n%s", app, toml)})
	d = prepare(t, dir, nil)
	if change != nil {
		change(d)
	}
	d.start()
	d.ready()
	d.serves("http://"+addr, "save0")
	return d, dir
}

// save has the app restarted, to serve another tag.
func (d *devguard) save(dir, addr string, n int) {
	d.t.Helper()
	mark := d.mark()
	saveWhole(d.t, filepath.Join(dir, "sockets"), fmt.Sprintf("tag save%d\nlisten %s", n, addr))
	d.wait(mark, "instance ready", nil)
	d.serves("http://"+addr, fmt.Sprintf("save%d", n))
}

var buildDenies = sync.OnceValues(func() (string, error) {
	out := filepath.Join(scratch, "denies")
	build := exec.Command("go", "build", "-o", out, "main.go")
	build.Dir = filepath.Join("testdata", "apps", "denies")
	if text, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, text)
	}
	return out, nil
})

// deniesApp is a program that forbids system calls to what it starts.
func deniesApp(t *testing.T) string {
	t.Helper()
	path, err := buildDenies()
	if err != nil {
		testneed.Skip(t, "amd64", err)
	}
	return path
}

// TestHeldSocketsForbidden: where the system allows less, the app runs as it would without held
// sockets, and the reason is said once.
func TestHeldSocketsForbidden(t *testing.T) {
	denies := deniesApp(t)
	for call, says := range map[string]string{
		"seccomp":          "install a seccomp filter: operation not permitted",
		"pidfd_open":       "look at a process of the app: pidfd_open: operation not permitted",
		"pidfd_getfd":      "look at a socket of the app: pidfd_getfd: operation not permitted",
		"process_vm_readv": "read an address of the app: process_vm_readv: operation not permitted",
		// What Docker forbids without --cap-add SYS_PTRACE.
		"kcmp,pidfd_getfd,process_vm_readv,ptrace": "read an address of the app: process_vm_readv: operation not permitted",
		// And as Podman does.
		"no-process_vm_readv": "read an address of the app: process_vm_readv: function not implemented",
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			d, dir, addr := heldApp(t, func(d *devguard) {
				d.cmd.Args = append([]string{denies, call}, d.cmd.Args...)
				d.cmd.Path = denies
			})
			d.save(dir, addr, 1)
			d.save(dir, addr, 2)
			if said := d.reasons(); len(said) != 1 || said[0] != says {
				t.Errorf("says %q\nwant %q", said, says)
			}
			hint := "--cap-add SYS_PTRACE"
			if call == "seccomp" {
				hint = "hold_sockets = false"
			}
			if l := d.wait(0, "listening sockets are not held", nil); !strings.Contains(l.str("hint"), hint) {
				t.Errorf("no hint of %q: %s", hint, l.Raw)
			}
			d.stop()
		})
	}
}

// TestHeldSocketsOfSetuid: a program that runs with other privileges than ours keeps them, also one
// that a shell starts.
func TestHeldSocketsOfSetuid(t *testing.T) {
	app, err := listensApp()
	if err != nil {
		t.Fatal(err)
	}
	own := copyOf(t, app, t.TempDir(), 0o755|os.ModeSetuid)
	capable := copyOf(t, app, t.TempDir(), 0o755)
	byShell := own + " is setuid or setgid"
	if os.Getuid() == 0 {
		byShell = "" // nothing is lost: root needs no no_new_privs
	}
	for name, row := range map[string]struct{ command, says string }{
		"itself":            {fmt.Sprintf("[%q, 'sockets']", own), own + " is setuid or setgid"},
		"by shell":          {fmt.Sprintf("['sh', '-c', \"true; exec '%s' sockets\"]", own), byShell},
		"file capabilities": {fmt.Sprintf("[%q, 'sockets']", capable), capable + " has file capabilities"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "file capabilities" {
				// CAP_NET_BIND_SERVICE, as setcap writes it: struct vfs_cap_data of revision 2.
				if err := unix.Setxattr(capable, "security.capability", []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0); err != nil {
					testneed.Skip(t, "root", err)
				}
			}
			addr := "127.0.0.1:" + freePort(t)
			dir := project(t, map[string]string{"sockets": "tag save0\nlisten " + addr, "devguard.toml": fmt.Sprintf(
				"[app]\nhold_sockets = true\ncommand = %s\n[watch]\ninclude = ['sockets']\n", row.command)})
			d := run(t, dir, nil)
			d.ready()
			d.save(dir, addr, 1)
			if said := d.reasons(); row.says != "" && len(said) != 1 || strings.Join(said, "; ") != row.says {
				t.Errorf("says %q", said)
			}
			d.stop()
		})
	}
}

// copyOf copies a program into a folder.
func copyOf(t *testing.T, program, dir string, mode os.FileMode) string {
	t.Helper()
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, filepath.Base(program))
	if err := errors.Join(os.WriteFile(path, data, 0o700), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestHeldSocketsUnprivileged: sockets are held for who has no power over others, too.
func TestHeldSocketsUnprivileged(t *testing.T) {
	for name, change := range map[string]func(d *devguard){
		"user namespace":  func(d *devguard) { d.inUserNamespace() },
		"another account": asNobody,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, dir, addr := heldApp(t, change)
			for n := 1; n < 4; n++ {
				d.save(dir, addr, n)
			}
			if said := d.reasons(); len(said) > 0 {
				t.Errorf("says %q", said)
			}
			if _, port, _ := strings.Cut(addr, ":"); !holdsPort(d.keeper(t), port) {
				t.Error("it is not held")
			}
			d.stop()
		})
	}
}

// TestHeldSocketsBesideAnAgent: a process that its own user may not look at, and that opens a socket, has
// no say about those of the others.
func TestHeldSocketsBesideAnAgent(t *testing.T) {
	t.Parallel()
	d, dir, addr := heldApp(t, asNobody)
	mark := d.mark()
	saveWhole(t, filepath.Join(dir, "sockets"), "tag save1\nagent agent.sock\nlisten "+addr)
	d.wait(mark, "instance ready", nil)
	d.serves("http://"+addr, "save1")
	d.save(dir, addr, 2)
	if said := d.reasons(); len(said) > 0 {
		t.Errorf("says %q", said)
	}
	if _, port, _ := strings.Cut(addr, ":"); !holdsPort(d.keeper(t), port) {
		t.Error("it is not held")
	}
	d.stop()
}

// asNobody has devguard run by an account without any power. The app is copied into its folder.
func asNobody(d *devguard) {
	d.t.Helper()
	const nobody = 65534
	if os.Getuid() != 0 {
		testneed.Skip(d.t, "root", "only root is another account at will")
	}
	own := d.cmd.Dir
	if err := os.Chmod(filepath.Dir(own), 0o755); err != nil { // of t.TempDir
		d.t.Fatal(err)
	}
	d.cmd.Path = copyOf(d.t, d.cmd.Path, own, 0o755)
	app, _ := listensApp()
	edit(d.t, filepath.Join(own, "devguard.toml"), app, copyOf(d.t, app, own, 0o755))
	if out, err := exec.Command("chown", "-R", strconv.Itoa(nobody), own).CombinedOutput(); err != nil {
		d.t.Fatalf("chown: %v: %s", err, out)
	}
	d.cmd.Env = append(d.cmd.Env, "HOME="+own)
	d.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
}

// TestSetuidBelowTheCommand: what runs sudo or ping somewhere below make loses its privileges by the filter
// once. It is noticed, said, and the next start, here the one after the crash, is without the filter. What
// a shell is to do is known before; an argument with the name of such a program is none.
func TestSetuidBelowTheCommand(t *testing.T) {
	app, err := listensApp()
	if err != nil {
		t.Fatal(err)
	}
	id, err := exec.LookPath("id")
	if err != nil {
		testneed.Skip(t, "coreutils", err)
	}
	for name, row := range map[string]struct {
		command, says string
		fails         int // starts
	}{
		"make": {"'make', '-s', 'run', 'APP=%s'",
			"the app has started bin/id, which is setuid or setgid, and the filter takes that from it; the next start is without the filter", 1},
		"shell":    {"'sh', '-c', 'test `bin/id -u` = 0 && exec %s sockets'", "bin/id is setuid or setgid", 0},
		"argument": {"'%s', 'sockets', 'bin/id'", "", 0},
	} {
		for _, hold := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/hold=%v", name, hold), func(t *testing.T) {
				t.Parallel()
				addr := "127.0.0.1:" + freePort(t)
				dir := project(t, map[string]string{
					"sockets": "tag save0\nlisten " + addr, "Makefile": "run:\n\ttest `bin/id -u` = 0 && exec $(APP) sockets\n",
					"devguard.toml": fmt.Sprintf("[app]\nhold_sockets = %v\ncommand = ["+row.command+"]\n[watch]\ninclude = ['sockets']\n", hold, app),
				})
				d := prepare(t, dir, nil)
				asNobody(d)
				if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
					t.Fatal(err)
				}
				own := copyOf(t, id, filepath.Join(dir, "bin"), 0o755|os.ModeSetuid) // root's
				d.start()
				d.ready()
				d.serves("http://"+addr, "save0")
				d.save(dir, addr, 1)
				want, fails := "", 0
				if hold {
					want, fails = row.says, row.fails
				}
				if said := strings.Join(d.reasons(), "; "); said != want {
					t.Errorf("says %q\nwant %q", said, want)
				}
				if failed := d.count(0, "instance waiting"); failed > fails {
					t.Errorf("%s has failed %d times", own, failed)
				}
				d.stop()
			})
		}
	}
}

// TestPortOfAnother: an app whose port another process has fails as it would by itself, is told who
// has it, and serves once that is gone.
func TestPortOfAnother(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	app, err := listensApp()
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	dir := project(t, map[string]string{"sockets": "tag save0\nlisten " + addr, "devguard.toml": fmt.Sprintf(
		"[app]\ncommand = [%q, 'sockets']\n[watch]\ninclude = ['sockets']\n[ready]\ntcp = %q\n", app, addr)})
	d := run(t, dir, nil)
	d.wait(0, "instance exited", func(l line) bool { return l.int("code") == 1 })
	_, port, _ := strings.Cut(addr, ":")
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	d.wait(0, fmt.Sprintf("port %s is in use by process %d (%s)", port, os.Getpid(), strings.TrimSpace(string(comm))), nil)
	l.Close()
	d.serves("http://"+addr, "save0")
	d.save(dir, addr, 1)
	if said := d.reasons(); len(said) > 0 {
		t.Errorf("says %q", said)
	}
	d.stop()
}

// TestHeldSocketsSwitchedOff: devguard.toml may say something else while the app runs.
func TestHeldSocketsSwitchedOff(t *testing.T) {
	t.Parallel()
	d, dir, addr := heldApp(t, nil)
	d.save(dir, addr, 1)
	toml := filepath.Join(dir, "devguard.toml")
	for _, hold := range []bool{false, true} {
		mark := d.mark()
		edit(t, toml, fmt.Sprintf("hold_sockets = %v", !hold), fmt.Sprintf("hold_sockets = %v", hold))
		d.wait(mark, "instance ready", nil)
		for n := 2; n < 4; n++ {
			d.save(dir, addr, n)
		}
	}
	if said := d.reasons(); len(said) != 1 || said[0] != "it is switched off" {
		t.Errorf("says %q", said)
	}
	d.stop()
}

// TestHeldSocketsStatus: how each address stands is shown.
func TestHeldSocketsStatus(t *testing.T) {
	t.Parallel()
	d, dir, addr := heldApp(t, nil)
	shows := func(want string) {
		t.Helper()
		last := ""
		if !poll(limit, func() bool {
			last, _, _ = ask(t, dir, "status")
			return strings.Contains(last, want)
		}) {
			t.Errorf("no %q in\n%s", want, last)
		}
	}
	shows("socket    " + addr + ": listening by generation 1\n")
	d.save(dir, addr, 1)
	shows("socket    " + addr + ": listening by generation 2\n")
	mark := d.mark()
	saveWhole(t, filepath.Join(dir, "sockets"), "tag save2\nsleep 2s\nlisten "+addr)
	d.wait(mark, "instance started", nil)
	shows("socket    " + addr + ": held since ")
	d.wait(mark, "instance ready", nil)
	saveWhole(t, filepath.Join(dir, "sockets"), "exit 1")
	d.wait(mark, "listening socket let go", nil)
	shows("socket    " + addr + ": let go: generation 4 ended, and has not taken it\n")
	edit(t, filepath.Join(dir, "devguard.toml"), "hold_sockets = true", "hold_sockets = false")
	saveWhole(t, filepath.Join(dir, "sockets"), "tag save3\nlisten "+addr)
	shows("sockets   not held from one restart to the next: it is switched off\n")
	d.stop()
}

// TestHeldSocketsUnderDevguard: one devguard in another, as a test of an app may have it. The inner
// one cannot watch what the outer one watches.
func TestHeldSocketsUnderDevguard(t *testing.T) {
	app, err := listensApp()
	if err != nil {
		t.Fatal(err)
	}
	addr := "127.0.0.1:" + freePort(t)
	inner := project(t, map[string]string{"sockets": "tag save0\nlisten " + addr})
	outer := project(t, map[string]string{"devguard.toml": fmt.Sprintf(
		"[app]\nhold_sockets = true\ncommand = [%q, 'run', '--hold-sockets', '-C', %q, '--', %q, 'sockets']\n", binary(t), inner, app)})
	d := run(t, outer, nil)
	d.serves("http://"+addr, "save0")
	if !strings.Contains(d.log(), "watched already, by the container's runtime or by another devguard") {
		t.Errorf("the inner one does not say why it holds nothing\n%s", d.log())
	}
	d.stop()
}

// TestHeldSocketsKeeper: the process that has the copies has a name that tells, is none of the app's,
// and is gone with devguard, however that ends.
func TestHeldSocketsKeeper(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			d, dir, addr := heldApp(t, nil)
			d.save(dir, addr, 1)
			_, port, _ := strings.Cut(addr, ":")
			if keeper := d.keeper(t); !holdsPort(keeper, port) {
				t.Errorf("process %d does not have port %s", keeper, port)
			}
			if holdsPort(d.cmd.Process.Pid, port) {
				t.Error("devguard has the port itself")
			}
			d.cmd.Process.Signal(sig)
			<-d.ended
			d.nothingLeft()
			if !poll(limit, func() bool { return refuses(addr) }) {
				t.Error("somebody still has the port")
			}
		})
	}
}

// keeper returns the process that has the copies.
func (d *devguard) keeper(t *testing.T) int {
	t.Helper()
	pid := d.findKeeper()
	if pid == 0 {
		t.Fatal("no process is called devguard-holds")
	}
	return pid
}

// findKeeper is keeper, or 0.
func (d *devguard) findKeeper() int {
	for _, p := range d.processes() {
		pid, _, _ := strings.Cut(p, ":")
		comm, _ := os.ReadFile("/proc/" + pid + "/comm")
		if strings.TrimSpace(string(comm)) == "devguard-holds" {
			n, _ := strconv.Atoi(pid)
			return n
		}
	}
	return 0
}

// TestKeeperKilledWhileItRuns: kill-port for one port ends what keeps the sockets of all. Those that the
// app listens on are kept again, and nothing is said.
func TestKeeperKilledWhileItRuns(t *testing.T) {
	t.Parallel()
	d, dir, addr := heldApp(t, nil)
	d.save(dir, addr, 1)
	_, port, _ := strings.Cut(addr, ":")
	old := d.keeper(t)
	syscall.Kill(old, syscall.SIGKILL)
	if !poll(limit, func() bool { now := d.findKeeper(); return now != 0 && now != old && holdsPort(now, port) }) {
		t.Errorf("it is not kept again\n%s", d.log())
	}
	d.save(dir, addr, 2)
	if said := d.reasons(); len(said) > 0 {
		t.Errorf("says %q", said)
	}
	d.stop()
}

// TestHeldSocketAtTheEnd: whoever connects once devguard was told to end is refused as soon as the app does
// not listen any more, and does not wait for its grace.
func TestHeldSocketAtTheEnd(t *testing.T) {
	t.Parallel()
	d, dir, addr := heldApp(t, nil)
	mark := d.mark()
	saveWhole(t, filepath.Join(dir, "sockets"), "tag save1\nlinger 2s\nlisten "+addr)
	d.wait(mark, "instance ready", nil)
	d.serves("http://"+addr, "save1")
	_, port, _ := strings.Cut(addr, ":")
	app := d.named(t, "/listens sockets")
	d.cmd.Process.Signal(syscall.SIGINT)
	if !poll(limit, func() bool { return !holdsPort(app, port) }) {
		t.Fatalf("the app does not close its listener\n%s", d.log())
	}
	refused := refuses(addr)
	if d.count(mark, "instance exited") > 1 {
		t.Fatalf("it is too late: the app has ended\n%s", d.log())
	}
	if !refused || len(d.reasons()) > 0 {
		t.Errorf("refused: %v\n%s", refused, d.log())
	}
	<-d.ended
}

// holdsPort reports whether a process has a socket that listens on the port.
func holdsPort(pid int, port string) bool {
	number, _ := strconv.Atoi(port)
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	table, _ := os.ReadFile("/proc/net/tcp")
	for _, link := range links {
		target, _ := os.Readlink(link)
		inode, isSocket := strings.CutPrefix(target, "socket:[")
		if !isSocket {
			continue
		}
		for line := range strings.Lines(string(table)) {
			f := strings.Fields(line)
			if len(f) > 9 && f[9] == strings.TrimSuffix(inode, "]") && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", number)) && f[3] == "0A" {
				return true
			}
		}
	}
	return false
}

// TestHeldSocketsKilled: whoever is killed while the app is in the middle of bind or listen, nothing of it
// is left and nothing hangs.
func TestHeldSocketsKilled(t *testing.T) {
	for _, victim := range []string{"devguard", "guardian", "app", "keeper"} {
		t.Run(victim, func(t *testing.T) {
			d, dir, addr := heldApp(t, nil)
			for n := 1; n < 3; n++ {
				d.save(dir, addr, n)
			}
			mark := d.mark()
			// Most of that time one of them waits for its answer.
			saveWhole(t, filepath.Join(dir, "sockets"), "tag save9\n"+strings.Repeat("probe 127.0.0.1:0\n", 3000)+"listen "+addr)
			d.wait(mark, "instance started", nil)
			pid := d.cmd.Process.Pid
			switch victim {
			case "keeper":
				pid = d.keeper(t)
			case "guardian":
				pid = d.named(t, "--stage guardian")
			case "app":
				pid = d.named(t, "/listens sockets")
			}
			syscall.Kill(pid, syscall.SIGKILL)
			if victim == "devguard" {
				<-d.ended
				return // cleanUp looks whether anything is left
			}
			d.serves("http://"+addr, "save9")
			if code := d.stop(); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// named returns the process of this devguard whose command line contains that.
func (d *devguard) named(t *testing.T, text string) int {
	t.Helper()
	for _, p := range d.processes() {
		pid, line, _ := strings.Cut(p, ":")
		if strings.Contains(line, text) && !strings.Contains(line, "run --log-format") {
			n, _ := strconv.Atoi(pid)
			return n
		}
	}
	t.Fatalf("no process with %q: %v", text, d.processes())
	return 0
}
