package drivers

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var campaign = flag.Bool("campaign", false, "every driver with the full number of restarts and queries")

// app and incode are the programs in ./app and ./incode, built for all tests without the
// race detector: they stand for somebody's server.
var app, incode string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(withApp(m))
}

func withApp(m *testing.M) int {
	for _, pair := range os.Environ() { // what the drivers and devguard would read
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "PG") {
			os.Unsetenv(name)
		}
	}
	dir, err := os.MkdirTemp("", "drivers-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	app, incode = filepath.Join(dir, "app"), filepath.Join(dir, "incode")
	build := exec.Command("go", "build", "-o", dir, "./app", "./incode")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build the app:", err)
		return 1
	}
	return m.Run()
}
