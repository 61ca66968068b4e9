package cmd

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestVersion(t *testing.T) {
	module := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{GoVersion: runtime.Version(), Main: debug.Module{Path: "github.com/devguard/devguard", Version: version}, Settings: settings}
	}
	commit := debug.BuildSetting{Key: "vcs.revision", Value: "f14ff9d1dab6b46bc9cd1c11a95fbd7a1e2b3c4d"}
	modified := func(is string) debug.BuildSetting { return debug.BuildSetting{Key: "vcs.modified", Value: is} }
	pseudo := "v0.0.0-20261128175943-f14ff9d1dab6"
	with := runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
	for name, tt := range map[string]struct {
		info *debug.BuildInfo
		want string
	}{
		"go install at a version": {module("v1.2.3"), "devguard v1.2.3, " + with},
		"go install at a commit":  {module(pseudo), "devguard " + pseudo + ", " + with},
		"go build in git": {module(pseudo, commit, modified("false")),
			"devguard " + pseudo + ", commit f14ff9d1dab6b46bc9cd1c11a95fbd7a1e2b3c4d, " + with},
		"go build in git with edits": {module(pseudo+"+dirty", commit, modified("true")),
			"devguard " + pseudo + "+dirty, commit f14ff9d1dab6b46bc9cd1c11a95fbd7a1e2b3c4d with uncommitted changes, " + with},
		"go build without git": {module("(devel)"), "devguard (devel), " + with},
		"a test":               {module(""), "devguard (devel), " + with},
		"no information":       {nil, "devguard (devel), " + with},
	} {
		if got := Version(tt.info); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, tt.want)
		}
	}
}

func TestVersionOfARelease(t *testing.T) {
	released, releasedCommit = "v1.2.3", "f14ff9d1dab6b46bc9cd1c11a95fbd7a1e2b3c4d"
	defer func() { released, releasedCommit = "", "" }()
	info := &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}
	want := "devguard v1.2.3, commit " + releasedCommit + ", " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
	if got := Version(info); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
