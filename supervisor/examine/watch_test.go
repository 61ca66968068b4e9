package examine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/devguard/devguard/supervisor"
	"github.com/devguard/devguard/supervisor/config"
)

// TestRemoteFileSystem: no test can mount one everywhere, so the watcher is told that the project is
// on one.
func TestRemoteFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "server.js"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := config.Default(dir)
	cfg.App.Command = []string{"node", "server.js"}
	s := supervisor.NewSurvey(t.Context(), cfg, os.Environ())
	s.Options.Local = func(string) (bool, string) { return false, "9p" }
	w := look(t.Context(), cfg, s)
	if w.Remote == nil || w.Remote.Dir != dir || w.Remote.Type != "9p" || len(w.Notes) > 0 {
		t.Errorf("%+v", w)
	}
	cfg.Watch.Poll = config.Poll{Mode: config.PollOn, Every: 1e9}
	if w := look(t.Context(), cfg, supervisor.NewSurvey(t.Context(), cfg, os.Environ())); w.Mode != "poll" || w.Asked != "1s" || w.Files != 1 {
		t.Errorf("%+v", w)
	}
}
