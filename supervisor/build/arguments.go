package build

import (
	"fmt"
	"strings"

	"github.com/devguard/devguard/supervisor/goflags"
)

// arguments is the command line of the build: -buildvcs=false unless the user
// set it, -w put before the user's ldflags, then the user's other flags.
func arguments(r Request, env string) ([]string, error) {
	if problems := goflags.Check(r.Flags); len(problems) > 0 {
		return nil, fmt.Errorf("build.flags: %w", problems[0])
	}
	all := goflags.Effective(env, r.Flags)
	args := []string{"build", keepWork}
	if !all.Has("buildvcs") {
		args = append(args, "-buildvcs=false")
	}
	args = append(args, linkFlags(all)...)
	args = append(args, quiet(env)...)
	if r.Progress != nil {
		args = append(args, "-v")
	}
	args = append(args, goflags.Parse(r.Flags).Words(goflags.Compiles, goflags.Selects, goflags.Profiles, goflags.Prints)...)
	args = append(args, cgoFlags(all, r)...)
	return append(args, "-o", r.Out, r.pkg()), nil
}

// quiet takes back the flags of GOFLAGS that print what is no message of a compiler, or that build
// nothing. In build.flags they are meant for devguard, or refused there.
func quiet(env string) []string {
	var args []string
	given := goflags.Effective(env, nil)
	for _, name := range []string{"json", "n", "v", "x"} {
		if given.Has(name) {
			args = append(args, "-"+name+"=false")
		}
	}
	return args
}

// linkFlags returns the -ldflags to pass. -w leaves out DWARF, a third of the
// time of a link; it comes first, so that the user's -w=false wins.
//
// The go command uses the last -ldflags that matches the package, and our own on
// the command line would hide those of GOFLAGS: so all are passed, in the go
// command's order, each plain one with -w before it. A `pattern=value` one is
// passed as it is. One that begins with neither a dash nor a pattern is wrong,
// and the go command says so.
func linkFlags(all goflags.Flags) []string {
	var args []string
	plain := false
	for _, f := range all {
		if f.Name != "ldflags" {
			continue
		}
		v := strings.TrimSpace(f.Value)
		if v == "" || strings.HasPrefix(v, "-") {
			plain, v = true, strings.TrimSpace("-w "+v)
		}
		args = append(args, "-ldflags="+v)
	}
	if !plain {
		args = append([]string{"-ldflags=-w"}, args...)
	}
	return args
}
