package fastbuild

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/devguard/devguard/supervisor/osproc"
)

// TestProfileIsPreparedOnce, when the plan is recorded: it takes longer than a compilation.
func TestProfileIsPreparedOnce(t *testing.T) {
	dir := t.TempDir()
	profile, ran := filepath.Join(dir, "default.pgo"), filepath.Join(dir, "ran")
	write(t, profile, "hot")
	p := prepares(t, dir, profile, "#!/bin/sh\ncp \"$4\" \"$2\"\necho ran >>"+ran+"\n")
	if err := prepare(t, p); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		b := run{plan: p, folder: t.TempDir()}
		if err := b.writeProfile(); err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(filepath.Join(b.folder, "b009", "pgo.preprofile")); string(text) != "hot" {
			t.Errorf("the compiler reads %q, %v", text, err)
		}
	}
	if text, _ := os.ReadFile(ran); string(text) != "ran\n" {
		t.Errorf("it %q", text)
	}
}

func TestProfileThatIsWrittenMeanwhile(t *testing.T) {
	dir := t.TempDir()
	profile := filepath.Join(dir, "default.pgo")
	write(t, profile, "hot")
	err := prepare(t, prepares(t, dir, profile, "#!/bin/sh\necho other >\"$4\"\ncp \"$4\" \"$2\"\n"))
	if refusal := (*Refusal)(nil); !errors.As(err, &refusal) || refusal.Kind != Written {
		t.Errorf("got %v", err)
	}
}

// prepares returns a plan with a profile that a script prepares.
func prepares(t *testing.T, dir, profile, script string) *Plan {
	t.Helper()
	tool := filepath.Join(dir, "preprofile")
	if err := os.WriteFile(tool, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	inputs, err := take([]input{{profile, content}})
	if err != nil {
		t.Fatal(err)
	}
	return &Plan{dir: dir, inputs: inputs, profile: &command{dir: dir, tool: tool, args: []string{"-o", work + "/b009/pgo.preprofile", "-i", profile}}}
}

func prepare(t *testing.T, p *Plan) error {
	t.Helper()
	g, err := osproc.NewGroup()
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close(killWait)
	b := run{plan: p, group: g, folder: t.TempDir()}
	return b.takeProfile(t.Context())
}
