package embedded

import (
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestOrdinaryUser runs a devguard as nobody, in a home of its own: the data lies in the project
// then, the fetched programs in the user's cache.
func TestOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("every other test of this run is this test")
		return
	}
	account(t)
	nobody := nobodyAccount(t)
	home, exe, project := homeOf(t, nobody)
	l := layout{State: filepath.Join(project, ".devguard")}
	l.Dir = filepath.Join(l.State, "embedded")
	l.Home = l.Dir

	env := []string{"HOME=" + home, "XDG_CACHE_HOME="}
	_, err := exec.LookPath("npm")
	if err == nil {
		env = append(env, "EMBEDDED_TEST_FETCH=1")
	}
	d := spawn(t, exe, project, nobody, env...)
	query(t, d.url(t), "select 1")
	if err == nil {
		if _, err := os.Stat(filepath.Join(home, ".cache/devguard/postgres", fetchedVersion)); err != nil {
			t.Errorf("the fetched programs: %v", err)
		}
	}
	info, err := os.Stat(l.data())
	if err != nil || info.Mode().Perm() != 0o700 || owner(info) != nobody.UID {
		t.Errorf("the data folder: %v %v", info, err)
	}
	pid, err := postmasterPid(l.data())
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.Stat("/proc/" + strconv.Itoa(pid))
	if err == nil && owner(status) != nobody.UID {
		t.Errorf("the server runs as uid %d", owner(status))
	}
	d.kill()
	awaitStopped(t, l)
}

// homeOf makes a home with a devguard and a project; go test's own folder is closed to others.
func homeOf(t *testing.T, a *Account) (home, exe, project string) {
	t.Helper()
	home, err := os.MkdirTemp("", "embedded-nobody-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	exe, project = filepath.Join(home, "devguard.test"), filepath.Join(home, "project")
	copyFile(t, self(t), exe)
	for _, err := range []error{os.Chmod(home, 0o755), os.Mkdir(project, 0o700), a.Own(home), a.Own(project)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return home, exe, project
}

func nobodyAccount(t *testing.T) *Account {
	t.Helper()
	u, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		t.Fatal(err)
	}
	return &Account{Name: u.Username, UID: uid, GID: gid}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRootsFolders(t *testing.T) {
	project, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLayout(project, &Account{Name: "postgres"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(l.data(), "/var/lib/devguard/") || len(filepath.Base(l.Home)) != 16 {
		t.Errorf("root's data is in %s", l.data())
	}
	if l.share() != filepath.Join(project, ".devguard", "embedded.lock") {
		t.Errorf("the share is %s", l.share())
	}
}
