package e2e_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/testneed"
)

// doctorWith runs it in dir by a shell that is alone in new namespaces, after what that does first.
func doctorWith(t *testing.T, dir, namespaces, first string) diagnosis {
	t.Helper()
	if out, err := exec.Command("unshare", namespaces, "true").CombinedOutput(); err != nil {
		testneed.Skip(t, "namespace", strings.TrimSpace(string(out)))
	}
	cmd := exec.Command("unshare", namespaces, "sh", "-c", first+` && exec "$0" doctor --json`, binary(t))
	cmd.Dir, cmd.Env = dir, append(cleanEnv(), "GORACE=atexit_sleep_ms=0")
	return diagnosed(t, cmd)
}

// TestDoctorOfLimits: a user namespace has limits of its own, which a test may lower.
func TestDoctorOfLimits(t *testing.T) {
	t.Parallel()
	files := map[string]string{"main.go": idleMain}
	for i := range 20 {
		files[fmt.Sprintf("pages/p%d/index.html", i)] = "x"
	}
	dir := project(t, files)
	lower := func(name string, to int) string { return fmt.Sprintf("echo %d > /proc/sys/user/%s", to, name) }
	t.Run("watches are refused", func(t *testing.T) {
		d := doctorWith(t, dir, "-Ur", lower("max_inotify_watches", 5))
		if fix := d.line("warning", "watch", "the limit of watches is reached"); !strings.Contains(fix, "sudo sysctl fs.inotify.max_user_watches=") {
			t.Errorf("fix: %s", fix)
		}
	})
	t.Run("watches are scarce", func(t *testing.T) {
		const alone, proc = "-Urmpf", "mount -t proc proc /proc" // else the watches of all other tests count, too
		directories := 0
		for _, l := range doctorWith(t, dir, alone, proc).Lines {
			if l.Check == "watch.limit" {
				fmt.Sscanf(l.Text, "%d directories to watch", &directories)
			}
		}
		d := doctorWith(t, dir, alone, proc+" && "+lower("max_inotify_watches", directories+1))
		if fix := d.line("warning", "watch.limit", "hardly any is left"); directories < 20 || !strings.Contains(fix, "user.max_inotify_watches") {
			t.Errorf("%d directories, fix: %s", directories, fix)
		}
		d.none("watch")
	})
	t.Run("watchers are refused", func(t *testing.T) {
		d := doctorWith(t, dir, "-Ur", lower("max_inotify_instances", 0))
		if fix := d.line("warning", "watch", "no file events"); !strings.Contains(fix, "sudo sysctl fs.inotify.max_user_instances=") {
			t.Errorf("fix: %s", fix)
		}
	})
	t.Run("a directory is not readable", func(t *testing.T) {
		tr := tree{t, project(t, map[string]string{"main.go": idleMain, "data/x.html": "x"})}
		tr.giveAway("data")
		d := doctorWith(t, tr.base, "-Ur", "true")
		fix := d.line("warning", "watch", tr.at("data")+" cannot be read")
		_, line, _ := strings.Cut(fix, ": ")
		line, _, _ = strings.Cut(line, " under [watch]")
		tr.write("devguard.toml", "[watch]\n"+line+"\n")
		doctorWith(t, tr.base, "-Ur", "true").none("watch", "configuration")
	})
}

// TestDoctorOfSockets: why they cannot be held, by the same words as in a run.
func TestDoctorOfSockets(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"main.go": idleMain})
	for call, says := range map[string]string{
		"seccomp": "install a seccomp filter: operation not permitted", "pidfd_getfd": "look at a socket of the app: pidfd_getfd: operation not permitted",
		"process_vm_readv": "read an address of the app: process_vm_readv: operation not permitted",
	} {
		t.Run(call, func(t *testing.T) {
			cmd := exec.Command(deniesApp(t), call, binary(t), "doctor", "--json")
			cmd.Dir, cmd.Env = dir, append(cleanEnv(), "GORACE=atexit_sleep_ms=0")
			fix := diagnosed(t, cmd).line("warning", "sockets", says)
			if want := map[bool]string{true: "hold_sockets = false", false: "--cap-add SYS_PTRACE"}[call == "seccomp"]; !strings.Contains(fix, want) {
				t.Errorf("fix: %s", fix)
			}
		})
	}
	t.Run("setuid", func(t *testing.T) {
		app, err := listensApp()
		if err != nil {
			t.Fatal(err)
		}
		own := copyOf(t, app, t.TempDir(), 0o755|os.ModeSetuid)
		doctor(t, dir, nil, "--", own, "sockets").line("warning", "sockets", own+" is setuid or setgid")
		write(t, filepath.Join(dir, "devguard.toml"), "[app]\nhold_sockets = false\n")
		doctor(t, dir, nil).line("ok", "sockets", "hold_sockets is off")
	})
}

// TestDoctorOfForeignPorts: an address that is not there, one that is not for us, and one that
// somebody has who cannot be seen.
func TestDoctorOfForeignPorts(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	dir := project(t, map[string]string{"main.go": idleMain, "devguard.toml": "control = '[::1]:" + port + "'\n"})
	doctorWith(t, dir, "-Urn", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6").line("problem", "port", "cannot be listened on: it is no address of this machine")
	write(t, filepath.Join(dir, "devguard.toml"), "control = '127.0.0.1:1'\n")
	doctorWith(t, dir, "-Ur", "true").line("problem", "port", "cannot be listened on: this user may not listen on that port")
	write(t, filepath.Join(dir, "devguard.toml"), "control = '127.0.0.1:"+port+"'\n")
	app, err := listensApp()
	if err != nil {
		t.Fatal(err)
	}
	tr := tree{t, dir}
	tr.write("sockets", "listen 127.0.0.1:"+port)
	other := exec.Command(app, filepath.Join(dir, "sockets"))
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { other.Process.Kill(); other.Wait() }()
	if !poll(limit, func() bool { return !refuses("127.0.0.1:" + port) }) {
		t.Fatal("the other process does not listen")
	}
	// In a mount namespace without the other's entry in /proc, as in a container of its own.
	d := doctorWith(t, dir, "-Urmpf", "mount -t proc proc /proc")
	if fix := d.line("problem", "port", "in use by a process of another user or container"); !strings.Contains(fix, "sudo ss -ltnp") {
		t.Errorf("fix: %s", fix)
	}
}

// TestDoctorOfPorts: an address that somebody else has, and who that is.
func TestDoctorOfPorts(t *testing.T) {
	t.Parallel()
	app, err := listensApp()
	if err != nil {
		t.Fatal(err)
	}
	control, ready, database, port := freePort(t), freePort(t), freePort(t), freePort(t)
	dir := project(t, map[string]string{"main.go": idleMain, "sockets": "listen 127.0.0.1:" + ready, "devguard.toml": fmt.Sprintf(
		"control = '127.0.0.1:%s'\n[ready]\nhttp = 'http://localhost:%s/'\n[[database]]\nlisten = '127.0.0.1:%s'\n", control, ready, database)})
	env := []string{"PORT=" + port}
	d := doctor(t, dir, env)
	for _, what := range []string{"control 127.0.0.1:" + control, "ready.http localhost:" + ready, "listen of [[database]] 127.0.0.1:" + database, "PORT :" + port} {
		d.line("ok", "port", what+" is free")
	}
	var taken []net.Listener
	for _, p := range []string{control, database, port} {
		l, err := net.Listen("tcp", "127.0.0.1:"+p)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		taken = append(taken, l)
	}
	other := exec.Command(app, "sockets")
	other.Dir = dir
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer other.Process.Kill()
	if !poll(limit, func() bool { return !refuses("127.0.0.1:" + ready) }) {
		t.Fatal("the other process does not listen")
	}
	d = doctor(t, dir, env)
	d.line("problem", "port", fmt.Sprintf("control 127.0.0.1:%s is in use by process %d", control, os.Getpid()))
	d.line("problem", "port", fmt.Sprintf("listen of [[database]] 127.0.0.1:%s is in use by process %d", database, os.Getpid()))
	d.line("warning", "port", fmt.Sprintf("PORT :%s is in use by process %d", port, os.Getpid()))
	fix := d.line("problem", "port", fmt.Sprintf("ready.http localhost:%s is in use by process %d (%s)", ready, other.Process.Pid, filepath.Base(app)))
	kill, _, _ := strings.Cut(fix, ",")
	typed(t, dir, kill)
	other.Wait()
	for _, l := range taken {
		l.Close()
	}
	doctor(t, dir, env).none("port")
}

// TestDoctorBesideDevguards: what they have is theirs, and they are not disturbed; two that share a
// hook which migrates are told of.
func TestDoctorBesideDevguards(t *testing.T) {
	t.Parallel()
	app, err := listensApp()
	if err != nil {
		t.Fatal(err)
	}
	control, port := freePort(t), freePort(t)
	dir := project(t, map[string]string{"sockets": "tag save0\nlisten 127.0.0.1:" + port, "devguard.toml": fmt.Sprintf(
		"control = '127.0.0.1:%s'\n[app]\ncommand = [%q, 'sockets']\n[ready]\ntcp = '127.0.0.1:%s'\n[[hook]]\nname = 'migrate'\nwatch = ['*.sql']\nrun = 'true'\nmigrates = true\n",
		control, app, port)})
	first := run(t, dir, nil, "--name", "api")
	first.ready()
	d := doctor(t, dir, nil)
	d.line("ok", "running", `devguard "api" runs here, pid `+strconv.Itoa(first.cmd.Process.Pid))
	d.line("ok", "port", "control 127.0.0.1:"+control+" is in use by the devguard that runs here")
	d.line("ok", "port", "ready.tcp 127.0.0.1:"+port+" is in use by the devguard that runs here")
	d.none("hook")
	second := run(t, dir, nil, "--name", "worker", "--control", "127.0.0.1:0")
	second.wait(0, "instance started", nil)
	d = doctor(t, dir, nil)
	if fix := d.line("warning", "hook", `hook "migrate" migrates, and "api" and "worker" have it`); !strings.Contains(fix, "--config FILE") {
		t.Errorf("fix: %s", fix)
	}
	if n := first.count(0, "instance started"); n != 1 || first.count(0, "changed") > 0 {
		t.Errorf("%d starts: devguard was disturbed\n%s", n, first.log())
	}
	// The fix: the worker has a file of its own, without the hook.
	second.stop()
	write(t, filepath.Join(dir, "worker.toml"), fmt.Sprintf("[app]\ncommand = [%q, 'sockets']\n", app))
	run(t, dir, nil, "--name", "worker", "--config", "worker.toml").wait(0, "instance started", nil)
	doctor(t, dir, nil).none("hook")
}
