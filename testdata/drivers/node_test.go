package drivers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/devguard/devguard/supervisor/testneed"
)

const (
	nodePgVersion     = "8.23.1"
	postgresJSVersion = "3.4.7"
)

// nodeProgram is app.js with node's pg.
func nodeProgram() program {
	return program{
		name: "node-pg",
		args: func(t *testing.T, queries int) []string {
			return []string{"node", filepath.Join("app", "app.js"), strconv.Itoa(queries), strconv.Itoa(users)}
		},
		env: func(t *testing.T) []string { return []string{"NODE_PATH=" + filepath.Join(nodePg(t), "node_modules")} },
	}
}

// nodePg returns a folder with pg in its node_modules.
func nodePg(t *testing.T) string { return nodeModule(t, "pg", nodePgVersion) }

// nodeModule returns a folder with a package in its node_modules, which the first test of
// this user installs through npm.
func nodeModule(t *testing.T, name, version string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		testneed.Skip(t, "npm", err)
	}
	dir := filepath.Join(cache, "devguard-test", name+"-"+version)
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		testneed.Skip(t, "npm", err)
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
	if err := os.WriteFile(filepath.Join(tmp, "package.json"), []byte(`{"private": true}`), 0o644); err != nil {
		t.Fatal(err)
	}
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
