package examine

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/doctor"
	"github.com/devguard/devguard/supervisor/hook"
)

// hooks looks at the commands of hooks, and runs none.
func (r Request) hooks(env []string) []doctor.Hook {
	var list []doctor.Hook
	for _, h := range r.Config.Hooks {
		one := doctor.Hook{
			Name: h.Name, Place: fmt.Sprintf("%s:%d", config.Shown(r.Config.Path), h.Line),
			Spills: doctor.Spills(h.Shell, r.secret(env)), Literal: doctor.HasPassword(h.Shell + " " + strings.Join(h.Command, " ")),
		}
		program, err := hook.Find(hook.Spec{Name: h.Name, Shell: h.Shell, Command: h.Command, Dir: r.Config.Dir, Env: env})
		one.Program = program
		if err != nil {
			missing := trouble(err)
			one.Missing = &missing
		}
		if h.Migrates {
			one.Shared = r.sharers(h.Name)
		}
		list = append(list, one)
	}
	return list
}

// sharers are the devguards that run and have a hook of that name.
func (r Request) sharers(hook string) (names []string) {
	for _, d := range r.Running {
		if slices.Contains(d.Hooks, hook) {
			names = append(names, d.Name)
		}
	}
	return names
}

// secret reports whether a variable holds a password: by its value, or where it is not set, by what
// it is for.
func (r Request) secret(env []string) func(variable string) bool {
	named := func(variable string) bool {
		return slices.ContainsFunc(r.Config.Databases, func(d config.Database) bool {
			return d.DirectURLEnv == variable || slices.Contains(d.URLEnv, variable)
		})
	}
	return func(variable string) bool {
		value := config.Lookup(env, variable)
		if variable == "PGPASSWORD" || value == "" {
			return variable == "PGPASSWORD" || named(variable)
		}
		u, err := url.Parse(value)
		if err != nil {
			return named(variable)
		}
		_, has := u.User.Password()
		return has
	}
}
