package fastbuild

import (
	"errors"
	"testing"

	"github.com/devguard/devguard/supervisor/osproc"
)

// TestProgramThatDoesNotLink: what is missing then may be there the next time, as when a disk was full.
func TestProgramThatDoesNotLink(t *testing.T) {
	for tool, want := range map[string]Kind{"/bin/false": NotLinked, "/bin/true": Different} {
		main := &Package{Path: "m", folder: work + "/b001"}
		p := &Plan{dir: t.TempDir(), packages: []*Package{main}, byPath: map[string]*Package{"m": main}}
		p.link = command{dir: ".", tool: tool, args: []string{"-o", "a.out", "-buildid=a/b/c/a", "main.a"}}
		g, err := osproc.NewGroup()
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close(killWait)
		err = Request{Tmp: t.TempDir(), Same: func(string) (bool, error) { return false, nil }}.check(t.Context(), g, p)
		var refusal *Refusal
		if !errors.As(err, &refusal) || refusal.Kind != want || refusal.Kind.Lasting() != (want == Different) {
			t.Errorf("%s: %v", tool, err)
		}
	}
}
