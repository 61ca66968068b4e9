package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
		used := 0
		d := doctorWith(t, dir, "-Ur", "true")
		for _, l := range d.Lines {
			if l.Check == "watch.limit" {
				fmt.Sscanf(l.Text[strings.Index(l.Text, ";")+1:], "%d of", &used)
			}
		}
		// Another process of this user may end its watches meanwhile, and none of the many is here.
		d = doctorWith(t, dir, "-Ur", lower("max_inotify_watches", used+24))
		if fix := d.line("warning", "watch.limit", "hardly any is left"); !strings.Contains(fix, "user.max_inotify_watches") {
			t.Errorf("fix: %s", fix)
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
