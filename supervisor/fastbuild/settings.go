package fastbuild

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/devguard/devguard/supervisor/osproc"
)

// goEnv is what `go env` says.
type goEnv map[string]string

func (r Request) goEnv(ctx context.Context, g *osproc.Group) (goEnv, error) {
	out, _, err := r.run(ctx, g, "env", "-json")
	if err != nil {
		return nil, err
	}
	var env goEnv
	if err := json.Unmarshal(out, &env); err != nil {
		return nil, fmt.Errorf("read the answer of go env: %w", err)
	}
	switch {
	case env["GOCACHEPROG"] != "":
		return nil, refuse(Setting, "GOCACHEPROG")
	case env["GOROOT"] == "" || env["GOMOD"] == "" || env["GOMOD"] == os.DevNull:
		return nil, refuse(Setting, "no module")
	case !compared(env["GOVERSION"]):
		return nil, refuse(Setting, "Go "+strings.TrimPrefix(env["GOVERSION"], "go"))
	}
	return env, nil
}

// releases are those of Go whose programs were compared with what comes of their plans, edit for edit. Another
// may run its tools in a way that looks the same and is not.
var releases = []string{"go1.25", "go1.26"}

// compared reports whether a toolchain is of one of the releases: a minor one, without experiments.
func compared(version string) bool {
	return slices.ContainsFunc(releases, func(release string) bool {
		minor, ok := strings.CutPrefix(version, release)
		return ok && strings.TrimLeft(minor, ".0123456789") == "" && (minor == "" || minor[0] == '.')
	})
}

// settled is without what is another each time: names of temporary directories.
func (env goEnv) settled() goEnv {
	env = maps.Clone(env)
	for _, name := range []string{"GOGCCFLAGS", "GOTMPDIR"} {
		delete(env, name)
	}
	return env
}

// differs returns a setting that is not what it was.
func (env goEnv) differs(from goEnv) (name string, yes bool) {
	for _, both := range []goEnv{env, from} {
		for _, name := range slices.Sorted(maps.Keys(both)) {
			if env[name] != from[name] {
				return name, true
			}
		}
	}
	return "", false
}

// sameSettings asks the go command for its settings. Which toolchain it is, and what it takes from where, no
// file tells: it may be a program that chooses one by the directory, or by a link that is another tomorrow
// (asdf, mise, snap).
func (p *Plan) sameSettings(ctx context.Context, tmp string) error {
	// In a group of its own: once a day the go command leaves its telemetry to a process in another session,
	// which this build would wait for.
	g, err := osproc.NewGroup()
	if err != nil {
		return err
	}
	defer g.Close(uploadWait)
	now, err := Request{Dir: p.dir, Env: p.environ, Tmp: tmp}.goEnv(ctx, g)
	if err != nil {
		return err
	}
	if name, yes := now.settled().differs(p.settings); yes {
		return refuse(Settings, name)
	}
	return nil
}

// uploadWait is for what a version manager has started besides, and killed: it does not hold the pipe for longer.
const uploadWait = 50 * time.Millisecond
