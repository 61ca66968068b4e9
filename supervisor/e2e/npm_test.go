package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/devguard/devguard/supervisor/testneed"
)

// npmInstalled returns a directory whose node_modules have a package, which the first test of this
// user installs through npm.
func npmInstalled(t *testing.T, name, version string) string {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		testneed.Skip(t, "npm", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		testneed.Skip(t, "npm", err)
	}
	dir := filepath.Join(cache, "devguard-test", name+"-"+version)
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	// Made elsewhere and moved: nobody finds half of it.
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "new-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	write(t, filepath.Join(tmp, "package.json"), `{"private": true}`)
	install := exec.Command(npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", name+"@"+version)
	install.Dir = tmp
	if out, err := install.CombinedOutput(); err != nil {
		testneed.Skip(t, "npm", fmt.Errorf("install %s: %w\n%s", name, err, out))
	}
	if err := os.Rename(tmp, dir); err != nil {
		if _, there := os.Stat(dir); there != nil {
			t.Fatal(err)
		}
	}
	return dir
}
