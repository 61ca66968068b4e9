package guard

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/devguard/devguard/dbguard/dsn"
	"github.com/devguard/devguard/supervisor/dotenv"
	"github.com/devguard/devguard/supervisor/logline"
)

// Database is one [[database]] of the configuration.
type Database struct {
	URLEnv       []string      // default dotenv.DatabaseURLs
	DirectURLEnv string        // default dotenv.DirectDatabaseURL
	Mode         string        // auto (the default), session, transaction, drain or off
	Listen       string        // a fixed loopback address, for apps that read their URL from elsewhere
	Embedded     bool          // a private server in place of what the environment says
	DrainTimeout time.Duration // bounds the drain of one generation; default 2 s
}

// databases are all of them, at least one.
type databases []Database

// withDefaults returns the databases with their defaults filled in.
func withDefaults(list []Database) (databases, error) {
	if len(list) == 0 {
		list = []Database{{}}
	}
	out := make(databases, len(list))
	for i, d := range list {
		switch mode(d.Mode) {
		case "":
			d.Mode = string(modeAuto)
		case modeAuto, modeSession, modeTransaction, modeDrain, modeOff:
		default:
			return nil, logline.WithHint(fmt.Errorf("there is no database mode %q", d.Mode), "use auto, session, transaction, drain or off")
		}
		if len(d.URLEnv) == 0 {
			d.URLEnv = dotenv.DatabaseURLs()
		}
		if d.DirectURLEnv == "" {
			d.DirectURLEnv = dotenv.DirectDatabaseURL
		}
		if d.DrainTimeout <= 0 {
			d.DrainTimeout = 2 * time.Second
		}
		out[i] = d
	}
	return out, nil
}

// errSwitchedOff says why a variable is not used.
var errSwitchedOff = errors.New("switched off by the configuration")

// names returns the variables that all databases are configured by.
func (list databases) names() dsn.Names {
	var n dsn.Names
	for _, d := range list {
		n.URLs = append(n.URLs, d.URLEnv...)
		n.Direct = append(n.Direct, d.DirectURLEnv)
	}
	slices.Sort(n.Direct)
	n.Direct = slices.Compact(n.Direct)
	return n
}

// of returns the configuration that a variable belongs to: the first one, when no
// configuration names it.
func (list databases) of(variable string) Database {
	for _, d := range list {
		if slices.Contains(d.URLEnv, variable) || d.DirectURLEnv == variable {
			return d
		}
	}
	return list[0]
}

// embedded returns those that ask for the embedded server.
func (list databases) embedded() databases {
	return slices.DeleteFunc(slices.Clone(list), func(d Database) bool { return !d.Embedded })
}
