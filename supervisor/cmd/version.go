package cmd

import (
	"cmp"
	"runtime"
	"runtime/debug"
	"strings"
)

// released and releasedCommit are set when a release is made (testdata/release), by -ldflags=-X: its archives are
// built without what git says, which would differ between clones with other tags.
var released, releasedCommit string

// Version says in one line what this program was built from and for:
//
//	devguard v1.2.3, go1.25.1 linux/amd64
//	devguard v1.2.3+dirty, commit 0123abcd... with uncommitted changes, go1.25.1 linux/amd64
//	devguard (devel), go1.25.1 linux/amd64
//
// info is that of debug.ReadBuildInfo, nil if there is none. The go command
// records the version with `go install` at one; version and commit with a build
// in a git work tree; and neither with -buildvcs=false, without git, or `go run`. A release has
// both in any case.
func Version(info *debug.BuildInfo) string {
	if info == nil {
		info = &debug.BuildInfo{}
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	parts := []string{"devguard " + cmp.Or(released, info.Main.Version, "(devel)")}
	if commit := cmp.Or(releasedCommit, settings["vcs.revision"]); commit != "" {
		if settings["vcs.modified"] == "true" {
			commit += " with uncommitted changes"
		}
		parts = append(parts, "commit "+commit)
	}
	return strings.Join(append(parts, runtime.Version()+" "+runtime.GOOS+"/"+runtime.GOARCH), ", ")
}
