package dsn

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/dotenv"
)

// family is a set of variables of which each says a part of where a database is, like
// DB_HOST, DB_PORT, DB_USER, DB_PASSWORD and DB_NAME.
type family struct {
	host   string            // the variable that has the host, by which the family is known
	values map[string]string // by keyword
	set    map[string]string // the keyword of each variable
	hints  []string          // values of variables like DB_DRIVER
	file   string            // where one of them is: "" for the environment, else ".env"
}

// hostVariable is the name of a variable with the host of a database. The first group is
// what the names of its family begin with: one word of a database, or PG after others.
var hostVariable = regexp.MustCompile(`^((?:[A-Z0-9]+_)*(?:DB|DATABASE|POSTGRES|POSTGRESQL|PSQL|PG)_|(?:[A-Z0-9]+_)+PG)(?:HOST|HOSTNAME|SERVER)$`)

// members are how the names of a family end, by keyword; "" is for what says which kind
// of database it is.
var members = map[string][]string{
	"host": {"HOST", "HOSTNAME", "SERVER"}, "port": {"PORT"}, "user": {"USER", "USERNAME"},
	"password": {"PASSWORD", "PASS", "PASSWD"}, "dbname": {"NAME", "DATABASE", "DB", "DBNAME"},
	"sslmode": {"SSLMODE", "SSL_MODE"}, "": {"DRIVER", "CONNECTION", "DIALECT", "TYPE", "ENGINE", "SCHEME"},
}

// needed are the keywords without which a family cannot be led elsewhere: what the app
// has in its code stays as it is. A database name may be there.
var needed = []string{"host", "port", "user", "password"}

// IsHostVariable reports whether a variable is called like one that has the host of a
// database, and nothing else.
func IsHostVariable(name string) bool { return hostVariable.MatchString(name) }

// namesHost reports whether a variable holds the host of a family, and not a connection
// string.
func namesHost(name, value string) bool {
	return hostVariable.MatchString(name) && value != "" && !strings.ContainsAny(value, "=@, ") && !strings.Contains(value, "://")
}

// families returns those that env and .env describe, in the order of their names.
func families(env map[string]string, files Files) (list []family, failed error) {
	names := map[string]bool{}
	inMain, _ := dotenv.Parse(string(files[main]))
	for _, vars := range []map[string]string{env, inMain} {
		for name := range vars {
			if hostVariable.MatchString(name) {
				names[name] = true
			}
		}
	}
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		prefix := hostVariable.FindStringSubmatch(name)[1]
		value, _, err := lookup(env, files, name)
		if !namesHost(name, value) || seen[prefix] {
			failed = errors.Join(failed, err)
			continue
		}
		seen[prefix] = true
		f, err := readFamily(env, files, prefix, name)
		failed = errors.Join(failed, err)
		if err == nil {
			list = append(list, f)
		}
	}
	return list, failed
}

// readFamily reads the variables that begin with prefix.
func readFamily(env map[string]string, files Files, prefix, host string) (family, error) {
	f := family{host: host, values: map[string]string{}, set: map[string]string{}}
	for _, key := range slices.Sorted(maps.Keys(members)) {
		for _, end := range members[key] {
			name := prefix + end
			value, file, err := lookup(env, files, name)
			if err != nil {
				return f, err
			}
			if _, there := env[name]; !there && value == "" {
				continue
			}
			if key == "" {
				f.hints = append(f.hints, value)
				continue
			}
			f.set[name] = key
			if f.values[key] == "" && value != "" {
				f.values[key] = value
			}
			if file != "" {
				f.file = file
			}
		}
	}
	return f, nil
}

// Drivers is what the drivers that an app is built from say about a family.
type Drivers int

// What they say.
const (
	NotListed    Drivers = iota // what the app is built from is not known yet
	Undecided                   // none is of Postgres, others are there as well, or it is no Go program
	OnlyPostgres                // all are of Postgres
)

// postgresDrivers and otherDrivers begin the import paths of drivers whose apps read
// such families: sqlite has no host.
var (
	postgresDrivers = []string{
		"github.com/jackc/pgx", "github.com/jackc/pgconn", "github.com/lib/pq", "github.com/go-pg/pg", "github.com/uptrace/bun/driver/pgdriver",
	}
	otherDrivers = []string{
		"github.com/go-sql-driver/mysql", "github.com/go-mysql-org/go-mysql", "github.com/ziutek/mymysql", "github.com/microsoft/go-mssqldb",
		"github.com/denisenkom/go-mssqldb", "github.com/sijms/go-ora", "github.com/godror/godror", "github.com/ClickHouse/", "github.com/gocql/gocql",
		"go.mongodb.org/mongo-driver", "github.com/snowflakedb/gosnowflake", "github.com/vertica/vertica-sql-go", "github.com/nakagami/firebirdsql",
	}
)

// DriversOf returns what the packages that an app imports say.
func DriversOf(imports []string) Drivers {
	has := func(drivers []string) bool {
		return slices.ContainsFunc(imports, func(path string) bool {
			return slices.ContainsFunc(drivers, func(d string) bool { return strings.HasPrefix(path, d) })
		})
	}
	if has(postgresDrivers) && !has(otherDrivers) {
		return OnlyPostgres
	}
	return Undecided
}

// evidence is what is known of whether a family is of Postgres.
type evidence int

const (
	silent evidence = iota
	isPostgres
	isOther
)

// evidence returns what the family says by itself: its kind, its port, its name.
func (f family) evidence() evidence {
	for _, hint := range f.hints {
		hint = strings.ToLower(hint)
		switch {
		case strings.Contains(hint, "postgres"), strings.Contains(hint, "pgsql"), strings.HasPrefix(hint, "pgx"), hint == "pq", hint == "pg":
			return isPostgres
		case hint != "":
			return isOther
		}
	}
	switch f.values["port"] {
	case "5432", "5433", "6432", "6543":
		return isPostgres
	case "3306", "33060", "1433", "1521", "27017", "6379", "9000":
		return isOther
	}
	if strings.Contains(f.host, "POSTGRES") || strings.Contains(f.host, "PG") || strings.Contains(f.host, "PSQL") {
		return isPostgres
	}
	return silent
}

// verdict is what is done with a family.
type verdict int

const (
	passOver verdict = iota // nothing is said
	later                   // it is asked again when the drivers are known
	doubt                   // how to name it is said
	lead
)

// decide returns what is done with the family; named says that url_env names it, haveURL
// that a URL of the app's was found.
func (f family) decide(drivers Drivers, named, haveURL bool) verdict {
	says := f.evidence()
	sure := named || says == isPostgres || says == silent && drivers == OnlyPostgres
	switch {
	case sure && len(f.missing()) == 0:
		return lead
	case named, sure && !haveURL:
		return doubt
	case haveURL, says == isOther:
		return passOver
	case drivers == NotListed:
		return later
	case len(f.missing()) > 0:
		return passOver
	}
	return doubt
}

// missing returns the keywords that no variable has.
func (f family) missing() (keys []string) {
	for _, key := range needed {
		if !slices.Contains(slices.Collect(maps.Values(f.set)), key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// DoubtError says why a family is left alone.
type DoubtError struct {
	Name    string   // the variable with the host
	Missing []string // the variables that are not set, one name for each keyword
}

// Fix says what to write.
func (e *DoubtError) Fix() string {
	if len(e.Missing) > 0 {
		return "set " + strings.Join(e.Missing, ", ") + ", or put the whole into DATABASE_URL"
	}
	return fmt.Sprintf("if it is one of Postgres, write url_env = [%q] under [[database]] in devguard.toml", e.Name)
}

// Error says what to do about it.
func (e *DoubtError) Error() string {
	if len(e.Missing) > 0 {
		return fmt.Sprintf("%s names a database whose sessions go past devguard, because there is no variable %s to lead them by; set it, or put the whole into DATABASE_URL",
			e.Name, strings.Join(e.Missing, ", "))
	}
	return fmt.Sprintf("%s names a database, perhaps not of Postgres; if it is one, write url_env = [%q] under [[database]] in devguard.toml", e.Name, e.Name)
}

// doubt returns the error about f.
func (f family) doubt() error {
	e := &DoubtError{Name: f.host}
	prefix := hostVariable.FindStringSubmatch(f.host)[1]
	for _, key := range f.missing() {
		e.Missing = append(e.Missing, prefix+members[key][0])
	}
	return e
}

// appendFamilies adds the families that are to be led. Beside a URL of the app's they
// are ours to use only when the app does.
func appendFamilies(found []Found, env map[string]string, files Files, names Names) ([]Found, error) {
	haveURL := slices.ContainsFunc(found, func(f Found) bool { return f.Role == App })
	list, failed := families(env, files)
	if haveURL {
		failed = nil // what is in .env beside it need not agree
	}
	for _, f := range list {
		named := slices.Contains(names.URLs, f.host)
		switch f.decide(names.Drivers, named, haveURL) {
		case later:
			failed = errors.Join(failed, ErrNotListed)
		case doubt:
			failed = errors.Join(failed, f.doubt())
		case lead:
			one := Found{Name: f.host, File: f.file, Role: App, Set: f.set, Settings: Settings{values: f.values}.With(env)}
			if haveURL && !named {
				one.Role = Other
			}
			found = append(found, one)
		}
	}
	return found, failed
}

// Lead returns the values with which the variables of f's Set lead to t.
func (f Found) Lead(t Target) map[string]string {
	values := map[string]string{}
	for _, p := range t.settings() {
		for name, key := range f.Set {
			if key == p.key {
				values[name] = p.value
			}
		}
	}
	return values
}

// isKeywords reports whether value is surely a connection string of libpq's keywords.
func isKeywords(value string) bool {
	if !strings.Contains(value, "host") || strings.Contains(value, ";") {
		return false
	}
	tokens, err := splitKeywords(value)
	if err != nil {
		return false
	}
	has := map[string]bool{}
	for _, t := range tokens {
		if !plainKeyword.MatchString(t.key) {
			return false
		}
		has[t.key] = true
	}
	return (has["host"] || has["hostaddr"]) && (has["dbname"] || has["sslmode"])
}

// plainKeyword is how a keyword looks; gorm's users also write TimeZone.
var plainKeyword = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)
