package browser

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/devguard/devguard/supervisor/testneed"
)

// limit bounds every wait of these tests: far more than anything needs on a slow machine, so that only what never
// comes fails.
const limit = 60 * time.Second

// scratch is where the tests of this run keep devguard.
var scratch string

// shots is where screenshots are written to.
var shots = flag.String("shots", "", "write screenshots into this `directory`; of tests that fail, too")

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(withScratch(m))
}

func withScratch(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "devguard-browser-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	defer func() { closeChromium() }() // which a test replaces
	return m.Run()
}

// devguardBinary is built once for all tests; with the race detector when they are.
var devguardBinary = sync.OnceValues(func() (string, error) {
	out := filepath.Join(scratch, "devguard")
	args := []string{"build", "-o", out}
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, ".")...)
	build.Dir = filepath.Join("..", "..")
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, said)
	}
	return out, nil
})

// chromiumNames are what distributions call it, the smallest first.
var chromiumNames = []string{
	"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome",
	"/Applications/Chromium.app/Contents/MacOS/Chromium", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
}

func chromiumPath() (string, error) {
	for _, name := range chromiumNames {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no Chromium on PATH")
}

// closeChromium ends the Chromium of the tests, if there is one.
var closeChromium = func() {}

// startChromium starts it for the first test that wants it.
var startChromium = sync.OnceValues(func() (context.Context, error) {
	path, err := chromiumPath()
	if err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
	)
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses to run as root with one
	}
	allocator, release := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	closeChromium = func() {
		_ = chromedp.Cancel(ctx)
		release() // waits until Chromium and its files are gone
	}
	return ctx, chromedp.Do(ctx)
})

// chromium returns the Chromium of all tests, and skips the test where there is none.
func chromium(t *testing.T) context.Context {
	t.Helper()
	if _, err := chromiumPath(); err != nil {
		testneed.Skip(t, "chromium", err)
	}
	ctx, err := startChromium()
	if err != nil {
		t.Fatalf("Chromium does not start: %v", err)
	}
	return ctx
}
