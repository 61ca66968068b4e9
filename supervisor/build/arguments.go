package build

import (
	"fmt"
	"strings"

	"github.com/devguard/devguard/supervisor/goflags"
)

// arguments is the command line of the build: -buildvcs=false unless the user
// set it, -w put before the user's ldflags, then the user's other flags. For a debugger
// it is -N -l put before the user's gcflags in place of -w.
func arguments(r Request, env string) ([]string, error) {
	if problems := goflags.Check(r.Flags); len(problems) > 0 {
		return nil, fmt.Errorf("build.flags: %w", problems[0])
	}
	all := goflags.Effective(env, r.Flags)
	args := []string{"build", keepWork}
	if !all.Has("buildvcs") {
		args = append(args, "-buildvcs=false")
	}
	own := goflags.Parse(r.Flags)
	if r.Debug {
		all, own = unoptimised(all), own.Without("gcflags")
		args = append(args, all.Words(goflags.Links)...)
		args = append(args, all.Only("gcflags").Words(goflags.Compiles)...)
	} else {
		args = append(args, linkFlags(all)...)
	}
	args = append(args, quiet(env)...)
	if r.Progress != nil {
		args = append(args, "-v")
	}
	args = append(args, own.Words(goflags.Compiles, goflags.Selects, goflags.Profiles, goflags.Prints)...)
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

// unoptimised has every -gcflags turn optimisation and inlining off too, with a first one for
// all packages, and every -ldflags keep what a debugger reads: of several that match a package the go
// command uses the last alone.
func unoptimised(all goflags.Flags) goflags.Flags {
	const off, keep = "-N -l", "-s=false -w=false"
	out := goflags.Flags{flag("gcflags", "all="+off)}
	for _, f := range all {
		pattern, value := pattern(f.Value)
		switch {
		case value != "" && value[0] != '-': // the go command says what is wrong
		case f.Name == "gcflags":
			f = flag(f.Name, pattern+strings.TrimSpace(off+" "+value))
		case f.Name == "ldflags":
			f = flag(f.Name, pattern+strings.TrimSpace(value+" "+keep))
		}
		out = append(out, f)
	}
	return out
}

// pattern splits the `pattern=` off the value of -gcflags or -ldflags, if there is one.
func pattern(value string) (pattern, flags string) {
	value = strings.TrimSpace(value)
	if i := strings.Index(value, "="); i > 0 && value[0] != '-' {
		return value[:i+1], strings.TrimSpace(value[i+1:])
	}
	return "", value
}

func flag(name, value string) goflags.Flag {
	return goflags.Flag{Name: name, Value: value, Words: []string{"-" + name + "=" + value}}
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

// BuildFlags are the flags that Run gives to `go build` for the request, but for -o; env is what the
// go command takes from GOFLAGS.
func BuildFlags(r Request, env string) ([]string, error) {
	args, err := arguments(r, env)
	if err != nil {
		return nil, err
	}
	return args[1 : len(args)-3], nil
}
