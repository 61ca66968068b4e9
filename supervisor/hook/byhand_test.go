package hook

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestByHand: the line that a failed hook is told with does in a shell what the hook did, in its
// directory.
func TestByHand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "it's a dir")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, spec := range map[string]Spec{
		"words":    {Command: []string{"sh", "-c", `echo "$PWD"; exit 3`}},
		"a line":   {Shell: `sh -c 'echo "$PWD"; exit 3'`},
		"a script": {Shell: "false || echo \"$PWD\" # where\nexit 3\n"},
	} {
		spec.Name, spec.Dir = "h", dir
		spec.Output = discard(t)
		res := Run(t.Context(), spec)
		out, err := exec.Command("sh", "-c", res.ByHand()).Output()
		if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 3 || strings.TrimSpace(string(out)) != dir {
			t.Errorf("%s: %q: %q, %v", name, res.ByHand(), out, err)
		}
	}
	if got := (Spec{Shell: "psql postgres://me:secret@db/x", Dir: dir}).byHand(); got != "" {
		t.Errorf("it repeats a password: %q", got)
	}
}

func discard(t *testing.T) *os.File {
	f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
