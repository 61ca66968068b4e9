package delve

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/devguard/devguard/supervisor/logline"
)

// Find returns the dlv of PATH, else the one that go install has put where PATH does not lead.
func Find(ctx context.Context) (path string, err error) {
	if path, err = exec.LookPath("dlv"); err == nil {
		return filepath.Abs(path)
	}
	for _, dir := range goBin(ctx) {
		if path, err := exec.LookPath(filepath.Join(dir, "dlv")); err == nil {
			return path, nil
		}
	}
	return "", logline.WithHint(errors.New("there is no dlv, the debugger Delve, on PATH"),
		"install it: go install github.com/go-delve/delve/cmd/dlv@latest")
}

// goBin are the directories that go install writes to, and would have.
func goBin(ctx context.Context) (dirs []string) {
	out, err := exec.CommandContext(ctx, "go", "env", "-json=false", "GOBIN", "GOPATH").Output()
	if err != nil {
		return nil // the build will say what is wrong with the go command
	}
	bin, paths, _ := strings.Cut(string(out), "\n")
	if bin = strings.TrimSpace(bin); bin != "" {
		dirs = append(dirs, bin)
	}
	for _, dir := range filepath.SplitList(strings.TrimSpace(paths)) {
		dirs = append(dirs, filepath.Join(dir, "bin"))
	}
	return dirs
}

// Arguments has dlv start a program with args as its own, and serve editors at an address. An App lets
// it run then. (With --continue dlv does that itself, behind whoever has waited to attach: when that
// one's first breakpoint is hit, it is dlv's own "continue" that is next, and the app runs on.) What dlv
// says of itself on stdout, where it listens, would stand in the middle of the app's output.
func Arguments(address, program string, args []string) []string {
	own := []string{
		"exec", "--headless", "--accept-multiclient", "--api-version=2", "--listen=" + address, "--log-dest=/dev/null", program, "--",
	}
	return append(own, args...)
}
