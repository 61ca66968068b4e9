package guard

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/devguard/devguard/dbguard/dsn"
	"github.com/devguard/devguard/supervisor/logline"
)

// EmbeddedStarter starts the private server of the project in directory
// project, and returns the URL of its database and what releases it. It is
// called once, in a goroutine of the Guard's.
type EmbeddedStarter func(ctx context.Context, project string) (url string, release func(context.Context) error, err error)

// embeddedServer is the private server; what follows done may be read once it is
// closed.
type embeddedServer struct {
	asked databases // those that it stands for
	log   *logger

	done    chan struct{}
	url     string
	env     map[string]string // the variables of the PGHOST family that lead to it
	release func(context.Context) error
	err     error
}

// start begins to start the server.
func (e *embeddedServer) start(work *background, starter EmbeddedStarter, project string) {
	work.start(func() {
		defer close(e.done)
		if e.url, e.release, e.err = starter(work.ctx, project); e.err != nil {
			return
		}
		e.env, e.err = family(e.url)
	})
}

// close releases the server, whose start is over.
func (e *embeddedServer) close(ctx context.Context) error {
	if e == nil || e.release == nil {
		return nil
	}
	return e.release(ctx)
}

// family returns the PGHOST set that leads where the URL leads.
func family(url string) (map[string]string, error) {
	s, err := dsn.Parse(url)
	if err != nil {
		return nil, fmt.Errorf("the URL of the embedded database: %w", err)
	}
	env := map[string]string{"PGSSLMODE": "disable"}
	for name, key := range map[string]string{
		"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password", "PGDATABASE": "dbname",
	} {
		if v := s.Get(key); v != "" {
			env[name] = v
		}
	}
	return env, nil
}

// replace returns the environment with every variable that leads to a database
// leading to the embedded one, once that runs. Without an embedded server it
// returns base as it is.
func (e *embeddedServer) replace(ctx context.Context, base []string) ([]string, error) {
	if e == nil {
		return base, nil
	}
	select {
	case <-e.done:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the embedded database: %w", ctx.Err())
	}
	if e.err != nil {
		return nil, fmt.Errorf("start the embedded database: %w", e.err)
	}
	env, replaced := environment(base), e.variables()
	var overridden []string
	for _, name := range env.names() {
		if _, ours := replaced[name]; ours || dsn.IsVariable(name) {
			if env.get(name) != replaced[name] {
				overridden = append(overridden, name)
			}
			env.unset(name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(replaced)) {
		env.set(name, replaced[name])
	}
	e.say(overridden)
	return env.pairs(), nil
}

// variables returns those that are to lead to the server.
func (e *embeddedServer) variables() map[string]string {
	all := maps.Clone(e.env)
	for _, d := range e.asked {
		for _, name := range append(slices.Clone(d.URLEnv), d.DirectURLEnv) {
			all[name] = e.url
		}
	}
	return all
}

// say writes the `database` line, which names the variables of the user that lead
// elsewhere now.
func (e *embeddedServer) say(overridden []string) {
	slices.Sort(overridden)
	reason := "the embedded database is used"
	if len(overridden) > 0 {
		reason += " in place of " + strings.Join(overridden, ", ") + " of the environment"
	}
	line := logline.Upstream{Mode: e.asked[len(e.asked)-1].Mode, Kind: string(postgres), Reason: reason, Name: "embedded"}
	switch mode(line.Mode) {
	case modeAuto:
		line.Mode = string(modeSession)
	case modeOff:
		line.Name = ""
	}
	e.log.database("embedded", line, false)
}
