package guard

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/devguard/devguard/dbguard/login"
)

// reachLimit bounds how long a client waits for its session upstream. The app's
// own connect_timeout is the first to end it; a guess at what nobody sits out.
const reachLimit = 30 * time.Second

// connectionCheck makes a server look every second whether the client of a
// running query still lives, so that the query ends with devguard's own
// death too (0.4 s after a kill, measured).
const connectionCheck = "-c client_connection_check_interval=1000"

// want is what a client asks of its session: two that are equal can have each
// other's.
type want struct {
	database string
	params   map[string]string // of its startup message
	label    string            // the application_name where the client gives none
	checks   bool              // end queries when we die
	private  bool              // over TLS: the client has asked for it
}

func (w want) equal(o want) bool {
	return w.database == o.database && w.label == o.label && w.checks == o.checks && w.private == o.private && maps.Equal(w.params, o.params)
}

// of returns what a client of generation gen asks for that is otherwise like w. A
// server reached directly is also asked to end a query soon after devguard's own
// death, and its sessions carry the generation's label, by which a later devguard
// would find them. A session whose client set its own application_name is ended by
// that check alone.
func (w want) of(gen int, l labels, v verdict) want {
	w.label, w.checks = "", false
	if v.kind == postgres && gen > 0 {
		w.label, w.checks = l.of(gen), v.checks
	}
	return w
}

// runtimeParams is what the startup message upstream says.
func (w want) runtimeParams() map[string]string {
	params := maps.Clone(w.params)
	if params == nil {
		params = map[string]string{}
	}
	if _, named := params["application_name"]; !named && w.label != "" {
		params["application_name"] = w.label
	}
	if w.checks {
		params["options"] = strings.TrimRight(connectionCheck+" "+params["options"], " ")
	}
	return params
}

// reach opens a session upstream for a client.
func reach(ctx context.Context, to *access, w want) (*login.ServerConn, error) {
	ctx, cancel := context.WithTimeout(ctx, reachLimit)
	defer cancel()
	config := to.config.Copy()
	if w.private && !to.encrypted {
		config = encrypted(config)
	}
	config.Database = w.database
	config.RuntimeParams = w.runtimeParams()
	return login.Connect(ctx, config)
}

// refusalFor is what a client is told whose session could not be opened: a server's
// own words, else ours, with the code that libpq's documentation has for it.
func refusalFor(err error, name string, to *access) *pgproto3.ErrorResponse {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		e := login.ResponseOf(server)
		e.Severity, e.SeverityUnlocalized = "FATAL", "FATAL"
		return e
	}
	return login.Fatal("08001", fmt.Sprintf("devguard cannot reach the database %s: %s", name, explain(err, to.settings).reason))
}
