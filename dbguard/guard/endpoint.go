package guard

import (
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/dsn"
)

// endpoint is one distinct server, database and user of the app's environment,
// and how it is reached.
type endpoint struct {
	id   dsn.Identity
	name string // in log lines: user@server/database

	mu  sync.Mutex
	now *access // what it points to is never changed
}

// access is how an endpoint is reached, as the environment said it last.
type access struct {
	variables []string // that name it
	role      dsn.Role // the closest of theirs
	settings  dsn.Settings
	config    *pgconn.Config // for connections of our own
	encrypted bool           // the app asks for TLS in its code, and so config does
	timeout   time.Duration  // for a drain
	wish      mode           // of the configuration
	listen    string         // likewise: a fixed address beside the app's own
}

// access returns how the endpoint is reached.
func (e *endpoint) access() *access {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.now
}

// learn takes over what a variable says of the endpoint. Of several variables the
// one whose role is closest to the app counts.
func (e *endpoint) learn(now access) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if was := e.now; was != nil {
		variables := slices.Clone(was.variables)
		for _, name := range now.variables {
			if !slices.Contains(variables, name) {
				variables = append(variables, name)
			}
		}
		if was.role < now.role {
			now = *was
		}
		now.variables = variables
		if was.encrypted && !now.encrypted {
			now.config, now.encrypted = encrypted(now.config), true
		}
	}
	e.now = &now
}

// encrypt has every connection use TLS from now on.
func (e *endpoint) encrypt() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.now.encrypted {
		return
	}
	now := *e.now
	now.config, now.encrypted = encrypted(now.config), true
	e.now = &now
}
