// Package examine gathers the facts about a machine and a project that package doctor makes lines
// of. It asks who decides in a run: the watcher is started, the go command lists the packages, and
// a listening socket is kept over two generations of a program of our own. Nothing of that outlives
// the call, and a devguard that runs beside it is not disturbed.
package examine

import (
	"context"
	"errors"
	"net/netip"
	"sync"

	"github.com/devguard/devguard/supervisor"
	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/doctor"
	"github.com/devguard/devguard/supervisor/logline"
)

// Request says what to look at.
type Request struct {
	Config  *config.Config // of what is wrong with it, Invalid tells; then its defaults
	Invalid error          // nil when it is valid
	Runs    bool           // the configuration says what would run
	Environ []string       // devguard's own

	// PortOwner names a process that listens where one that wants to listen at that address cannot. Without
	// an IP that is any address of the port.
	PortOwner func(at netip.AddrPort) (pid int, name string, ok bool)
	// Running are the devguards of the project.
	Running []Running
	// Databases looks at those that an environment names, for an app with these imports, which are
	// not known of a command.
	Databases func(ctx context.Context, env, imports []string, known bool) doctor.Databases
}

// Running is a devguard of the project, and what it has.
type Running struct {
	doctor.Running
	Ports []int    // that it, or its app, listens on
	Hooks []string // by name
}

// Look gathers the facts, in some hundred milliseconds, or as long as a database takes to answer; of
// a large program up to linkWait.
func Look(ctx context.Context, r Request) doctor.Facts {
	f := doctor.Facts{Project: doctor.Project{Config: r.Config.Path, Invalid: troubles(r.Invalid)}}
	if f.Project.Config != "" {
		f.Project.Config = config.Shown(r.Config.Path)
	}
	for _, d := range r.Running {
		f.Project.Running = append(f.Project.Running, d.Running)
	}
	env, err := config.ReadEnvFiles(r.Config.App.EnvFiles, r.Environ)
	if err != nil {
		f.Project.Invalid = append(f.Project.Invalid, troubles(err)...)
		env = r.Environ
	}
	var all sync.WaitGroup
	all.Go(func() { r.project(ctx, env, &f) })
	all.Go(func() { f.Sockets = sockets(ctx, r.Config) })
	f.Ports = r.ports(env)
	f.Hooks = r.hooks(env)
	all.Wait()
	return f
}

// project looks at what would run: what it is made of, what is watched for that, and its databases.
func (r Request) project(ctx context.Context, env []string, f *doctor.Facts) {
	command := len(r.Config.App.Command) > 0
	survey := supervisor.Survey{}
	if r.Runs {
		survey = supervisor.NewSurvey(ctx, r.Config, r.Environ)
		f.Project.Runs = runs(r.Config)
	}
	if r.Runs && !command {
		f.Toolchain = toolchain(ctx, r, survey)
	}
	var others sync.WaitGroup
	others.Go(func() { f.Link = r.link(ctx, survey) })
	others.Go(func() {
		var imports []string
		if survey.Graph != nil {
			imports = survey.Graph.Imports
		}
		f.Databases = r.Databases(ctx, env, imports, survey.Graph != nil)
	})
	if r.Runs {
		f.Watch = look(ctx, r.Config, survey)
	}
	others.Wait()
}

// troubles are the errors that err is made of.
func troubles(err error) []doctor.Trouble {
	var invalid config.Errors
	if err == nil {
		return nil
	}
	if !errors.As(err, &invalid) {
		return []doctor.Trouble{trouble(err)}
	}
	all := make([]doctor.Trouble, len(invalid))
	for i, one := range invalid {
		all[i] = trouble(one)
	}
	return all
}

func trouble(err error) doctor.Trouble {
	return doctor.Trouble{Text: err.Error(), Fix: logline.HintOf(err)}
}
