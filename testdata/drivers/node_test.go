package drivers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const nodePgVersion = "8.23.1"

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

// nodePg returns a folder with pg in its node_modules, which the first test of
// this user installs through npm.
func nodePg(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		unavailable(t, "npm", err)
	}
	dir := filepath.Join(cache, "devguard-test", "pg-"+nodePgVersion)
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		unavailable(t, "npm", err)
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
	install := exec.Command(npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "pg@"+nodePgVersion)
	install.Dir = tmp
	if out, err := install.CombinedOutput(); err != nil {
		unavailable(t, "npm", fmt.Errorf("install pg: %w\n%s", err, out))
	}
	if err := os.Rename(tmp, dir); err != nil {
		if _, there := os.Stat(dir); there != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// unavailable skips the test, unless DEVGUARD_TEST_REQUIRE names what is missing.
func unavailable(t *testing.T, what string, why error) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv("DEVGUARD_TEST_REQUIRE"), ","), what) {
		t.Fatalf("DEVGUARD_TEST_REQUIRE names %s: %v", what, why)
	}
	t.Skip(what, why)
}
