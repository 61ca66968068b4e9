package change_test

import (
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

func TestCompareSnapshots(t *testing.T) {
	d := change.DigestOf([]byte("x"))
	with := func(edit func(*change.Snapshot)) change.Snapshot {
		s := change.Snapshot{Version: 1, Hooks: []change.HookState{{Watch: d}}}
		edit(&s)
		return s
	}
	same := with(func(*change.Snapshot) {})
	for _, tt := range []struct {
		name                  string
		other                 change.Snapshot
		contents, work, state bool
	}{
		{"only newer", with(func(s *change.Snapshot) { s.Version, s.Headers, s.Adopted = 2, 2, time.Unix(1, 0) }), true, true, true},
		{"git's lock", with(func(s *change.Snapshot) { s.GitLock = true }), true, true, false},
		{"equal bytes written", with(func(s *change.Snapshot) { s.Seq = 1 }), true, true, false},
		{"git is busy", with(func(s *change.Snapshot) { s.GitBusy = true }), true, false, false},
		{"source", with(func(s *change.Snapshot) { s.Source = d }), false, false, false},
		{"shape", with(func(s *change.Snapshot) { s.Shape = d }), false, false, false},
		{"runtime", with(func(s *change.Snapshot) { s.Runtime = d }), false, false, false},
		{"env", with(func(s *change.Snapshot) { s.Env = d }), false, false, false},
		{"config", with(func(s *change.Snapshot) { s.Config = d }), false, false, false},
		{"a hook's files", with(func(s *change.Snapshot) { s.Hooks[0].Watch = change.Digest{} }), false, false, false},
		{"a hook's outputs", with(func(s *change.Snapshot) { s.Hooks[0].Missing = true }), false, false, false},
		{"another hook", with(func(s *change.Snapshot) { s.Hooks = append(s.Hooks, change.HookState{}) }), false, false, false},
	} {
		if got := same.SameContents(tt.other); got != tt.contents {
			t.Errorf("%s: SameContents is %v", tt.name, got)
		}
		if got := same.SameWork(tt.other); got != tt.work {
			t.Errorf("%s: SameWork is %v", tt.name, got)
		}
		if got := same.SameState(tt.other); got != tt.state {
			t.Errorf("%s: SameState is %v", tt.name, got)
		}
	}
}
