package e2e_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/devguard/devguard/supervisor/testneed"
	"golang.org/x/sys/unix"
)

// refused runs devguard to its end and returns its exit code and what it said.
func refused(t *testing.T, dir string, attr *syscall.SysProcAttr, env ...string) (int, string) {
	t.Helper()
	cmd := exec.Command(binary(t), "run")
	cmd.Dir, cmd.SysProcAttr = dir, attr
	cmd.Env = append(cleanEnv(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Run()
	return cmd.ProcessState.ExitCode(), out.String()
}

// tmpfs mounts a file system of its own kind, for root alone.
func tmpfs(t *testing.T, options string, flags uintptr) string {
	t.Helper()
	testneed.Root(t)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		testneed.Skip(t, "mount", err) // a container without the right to
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func serverIn(t *testing.T, dir string) {
	t.Helper()
	write(t, filepath.Join(dir, "go.mod"), "module example.com/app\n\ngo 1.25\n")
	write(t, filepath.Join(dir, "main.go"), server)
}

func TestNoexecFileSystem(t *testing.T) {
	dir := tmpfs(t, "size=64m", unix.MS_NOEXEC)
	serverIn(t, dir)
	code, said := refused(t, dir, nil)
	if want := `(?s)\.devguard/app.*mounted noexec.*remount it with exec`; code != 1 || !regexp.MustCompile(want).MatchString(said) {
		t.Errorf("exit code %d: %s", code, said)
	}
}

func TestReadOnlyFileSystem(t *testing.T) {
	dir := tmpfs(t, "size=64m", 0)
	serverIn(t, dir)
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	code, said := refused(t, dir, nil)
	if want := `(?s)create .*/\.devguard: .*read-only.*hint`; code != 1 || !regexp.MustCompile(want).MatchString(said) {
		t.Errorf("exit code %d: %s", code, said)
	}
}

// TestFullDisk: the running app stays, the reason is said, and when there is
// space again the next save is served.
func TestFullDisk(t *testing.T) {
	dir := tmpfs(t, "size=40m", 0)
	serverIn(t, dir)
	port := freePort(t)
	url := "http://127.0.0.1:" + port
	d := run(t, dir, []string{"PORT=" + port})
	d.ready()
	before := get(url)
	ballast := filepath.Join(dir, "ballast")
	fill(t, dir, ballast)
	mark := d.mark()
	source := filepath.Join(dir, "main.go") // written in place: nothing can be moved into a file system
	write(t, source, strings.Replace(server, `"v1"`, `"v2"`, 1))
	noSpace := func(l line) bool { return strings.Contains(l.Raw, "no space left on device") } // not when it is half written
	failed := d.wait(mark, "build failed", noSpace)
	if !strings.Contains(failed.str("hint"), "make room") {
		t.Errorf("does not say why and what next: %s", failed.Raw)
	}
	if now := get(url); now != before {
		t.Errorf("serves %q, before %q", now, before)
	}
	os.Remove(ballast)
	write(t, source, strings.Replace(server, `"v1"`, `"v3"`, 1))
	d.serves(url, "v3")
}

// fill leaves 64 KB of a file system.
func fill(t *testing.T, dir, name string) {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Fallocate(int(f.Fd()), 0, 0, int64(st.Bavail)*st.Bsize-64<<10); err != nil {
		t.Fatal(err)
	}
}

// TestDirectoryDeletedUnderUs: the app goes on, the reason is said, devguard
// still stops, and with the directory back it serves what is there.
func TestDirectoryDeletedUnderUs(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	url := "http://127.0.0.1:" + port
	parent := t.TempDir()
	dir := filepath.Join(parent, "app")
	serverIn(t, dir)
	d := run(t, dir, []string{"PORT=" + port})
	d.ready()
	before, mark := get(url), d.mark()
	// Once more if devguard writes there just now.
	if !poll(limit, func() bool { return os.RemoveAll(dir) == nil }) {
		t.Fatal("the directory is not empty")
	}
	failed := d.wait(mark, "build failed", nil)
	if !strings.Contains(failed.Raw, dir) {
		t.Errorf("does not say what is gone: %s", failed.Raw)
	}
	if now := get(url); now != before {
		t.Errorf("serves %q, before %q", now, before)
	}
	serverIn(t, dir)
	edit(t, filepath.Join(dir, "main.go"), `"v1"`, `"v2"`)
	d.serves(url, "v2")
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestPortTaken names the process that has it, and the line that ends it; then the app is served.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	dir := project(t, map[string]string{"main.go": server})
	build := exec.Command("go", "build", "-o", "other")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	other := exec.Command(filepath.Join(dir, "other"))
	other.Env = append(os.Environ(), "PORT="+port)
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer other.Wait()
	defer other.Process.Kill()
	if !poll(limit, func() bool { return get("http://127.0.0.1:"+port) != "" }) {
		t.Fatal("the other program does not serve")
	}
	d := run(t, dir, []string{"PORT=" + port})
	d.wait(0, "instance exited", nil)
	d.waitRaw(0, fmt.Sprintf("port %s is in use by process %d (other)", port, other.Process.Pid))
	d.wait(0, "instance waiting", nil)
	hint := fmt.Sprintf("end it (kill %d), or have the app listen elsewhere", other.Process.Pid)
	d.waitRaw(0, hint)
	_, command, _ := strings.Cut(strings.TrimSuffix(hint, "), or have the app listen elsewhere"), "(")
	if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	d.ready()
	d.serves("http://127.0.0.1:"+port, "v1")
}

// TestSecondDevguard of the same name is refused; under another name it runs.
func TestSecondDevguard(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"main.go": polite})
	first := run(t, dir, nil)
	first.ready()
	code, said := refused(t, dir, nil)
	if code != 1 || !strings.Contains(said, fmt.Sprint(first.cmd.Process.Pid)) || !strings.Contains(said, "--name") {
		t.Errorf("exit code %d: %s", code, said)
	}
	if first.count(0, "instance exited") > 0 {
		t.Error("the first one's app is gone")
	}
	second := run(t, dir, nil, "--name", "other")
	second.ready()
}

// TestMissingPermissions, as a user who may do nothing here.
func TestMissingPermissions(t *testing.T) {
	testneed.Root(t)
	t.Parallel()
	const nobody = 65534
	attr := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	home := t.TempDir()
	os.Chown(home, nobody, nobody)
	open(t, home)
	open(t, filepath.Dir(binary(t)))
	env := []string{"HOME=" + home, "GOCACHE=" + filepath.Join(home, "cache"), "TMPDIR=" + home}
	for name, tt := range map[string]struct {
		spoil func(dir string)
		want  string
	}{
		"project of somebody else": {func(string) {}, `(?s)create .*/\.devguard: permission denied.*hint`},
		"state of somebody else":   {func(dir string) { os.MkdirAll(filepath.Join(dir, ".devguard"), 0o700) }, `(?s)\.devguard.*(permission denied|not permitted).*hint`},
		"unreadable configuration": {func(dir string) {
			os.Chown(dir, nobody, nobody)
			write(t, filepath.Join(dir, "devguard.toml"), "")
			os.Chmod(filepath.Join(dir, "devguard.toml"), 0)
		}, `devguard.toml: cannot be read: permission denied`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := project(t, map[string]string{"main.go": server})
			open(t, dir)
			tt.spoil(dir)
			code, said := refused(t, dir, attr, env...)
			if (code != 1 && code != 2) || !regexp.MustCompile(tt.want).MatchString(said) {
				t.Errorf("exit code %d: %s", code, said)
			}
		})
	}
}

// open lets everybody reach a directory.
func open(t *testing.T, dir string) {
	t.Helper()
	for ; dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBinaryThatCannotStart is said with a reason, and nothing is lost: the
// next save is served.
func TestBinaryThatCannotStart(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"run.sh": "#!/nonexistent/sh\n", "devguard.toml": "[app]\ncommand = ['./run.sh']\n"})
	script := filepath.Join(dir, "run.sh")
	d := run(t, dir, nil)
	failed := d.wait(0, "instance start failed", nil)
	if !strings.Contains(failed.Raw, "run.sh: permission denied") || !strings.Contains(failed.Raw, "chmod +x") {
		t.Errorf("says %s", failed.Raw)
	}
	mark := d.mark()
	saveWholeAs(t, script, "#!/nonexistent/shell\n", 0o755)
	failed = d.wait(mark, "instance start failed", nil)
	if !strings.Contains(failed.Raw, "interpreter") {
		t.Errorf("says %s", failed.Raw)
	}
	write(t, script, "#!/bin/sh\necho here\nexec sleep 3600\n")
	d.waitOutput("here")
}

// TestHookCommandNotFound keeps the app.
func TestHookCommandNotFound(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{
		"main.go": polite, "in.txt": "1",
		"devguard.toml": "[[hook]]\nname = 'list'\nwatch = ['in.txt']\nrun = ['no-such-program', 'x']\n" +
			"[[hook]]\nname = 'shell'\nwatch = ['in.txt']\nrun = 'no-such-program x'\n",
	})
	d := run(t, dir, nil)
	d.ready()
	for _, name := range []string{"list", "shell"} {
		failed := d.wait(0, "hook failed", func(l line) bool { return l.str("hook") == name })
		if !strings.Contains(failed.str("error"), "no-such-program") || failed.str("hint") == "" {
			t.Errorf("says %s", failed.Raw)
		}
	}
	mark := d.mark()
	write(t, filepath.Join(dir, "in.txt"), "2")
	if failed := d.wait(mark, "hook failed", nil); failed.int("serving") != 1 {
		t.Errorf("the app was lost: %s", failed.Raw)
	}
	// The second hook has its turn now; that it fails too does not cost the edit.
	edit(t, filepath.Join(dir, "main.go"), `"hello"`, `"hello again"`)
	d.waitOutput("hello again")
}

// TestBrokenEnvFile: at the start an error, later no reason to lose the app.
func TestBrokenEnvFile(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{
		"main.go":       strings.Replace(polite, `"hello"`, `"hello "+os.Getenv("WHO")`, 1),
		"devguard.toml": "[app]\nenv_files = ['dev.env']\n",
	})
	env := filepath.Join(dir, "dev.env")
	code, said := refused(t, dir, nil)
	if code != 2 || !strings.Contains(said, "dev.env") || !strings.Contains(said, "create it") {
		t.Errorf("exit code %d: %s", code, said)
	}
	write(t, env, "WHO=you\n")
	d := run(t, dir, nil)
	d.waitOutput("hello you")
	d.ready()
	mark := d.mark()
	saveWhole(t, env, "WHO='you\n")
	d.waitRaw(mark, "dev.env:1:1: ")
	if n := d.count(mark, "instance stopping"); n > 0 {
		t.Error("the app was lost")
	}
	write(t, env, "WHO=us\n")
	d.waitOutput("hello us")
}
