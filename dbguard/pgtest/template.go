package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/devguard/devguard/dbguard/embedded"
	"github.com/devguard/devguard/supervisor/testneed"
)

// installation is the server programs that every Start of the process uses.
type installation struct {
	embedded.Binaries
	account *embedded.Account
}

var installed = sync.OnceValues(func() (installation, error) {
	account, err := embedded.ServerAccount()
	if err != nil {
		return installation{}, err
	}
	found := embedded.Find(context.Background(), account, exec.LookPath)
	if len(found) == 0 {
		return installation{}, embedded.ErrNoBinaries
	}
	return installation{found[0], account}, nil
})

func postgres(t testing.TB) installation {
	t.Helper()
	in, err := installed()
	if err != nil {
		testneed.Skip(t, "postgres", err.Error())
	}
	return in
}

// tempDir makes a directory that the server's account can reach and owns; t.TempDir lies under one
// that is root's alone.
func (in installation) tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgtest-")
	if err != nil {
		t.Fatalf("a folder for the test's server: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the test's server: %v", err)
		}
	})
	if err := in.account.Own(dir); err != nil {
		t.Fatalf("a folder for the test's server: %v", err)
	}
	return dir
}

// newCluster fills data from the template, which the first test of this user makes and later ones,
// of other packages too, copy: initdb takes half a second.
func (in installation) newCluster(data string) error {
	cache, err := os.UserCacheDir()
	if err != nil {
		return in.initdb(data)
	}
	template := filepath.Join(cache, "devguard", "pgtest", in.Version)
	if _, err := os.Stat(template); errors.Is(err, fs.ErrNotExist) {
		if err := in.initdb(data); err != nil {
			return err
		}
		return keep(data, template)
	}
	return in.copyCluster(data, template)
}

func (in installation) initdb(data string) error {
	pw := data + ".password"
	if err := os.WriteFile(pw, []byte(Password), 0o600); err != nil {
		return err
	}
	defer os.Remove(pw)
	if err := in.account.Own(pw); err != nil {
		return err
	}
	cmd := exec.Command(in.Path("initdb"), "-D", data, "-U", Superuser, "--pwfile="+pw, "-A", "scram-sha-256",
		"-N", "-E", "UTF8", "--locale=C", "--wal-segsize=1")
	cmd.Dir = "/"
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	in.account.Apply(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// keep copies a fresh cluster to the template by rename, so that nobody sees half of one; whoever
// comes second throws its copy away.
func keep(data, template string) error {
	if err := os.MkdirAll(filepath.Dir(template), 0o700); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(template), "new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := os.CopyFS(filepath.Join(tmp, "data"), os.DirFS(data)); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(tmp, "data"), template); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func (in installation) copyCluster(data, template string) error {
	if err := os.CopyFS(data, os.DirFS(template)); err != nil {
		return err
	}
	return filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() { // the server refuses a data directory that others can read
			if err := os.Chmod(path, 0o700); err != nil {
				return err
			}
		}
		return in.account.Own(path)
	})
}
