package dsn

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// pgx and more are what an app may be built from.
var (
	pgx  = []string{"example.com/app", "github.com/jackc/pgx/v5/pgconn"}
	more = append([]string{"github.com/go-sql-driver/mysql"}, pgx...)
)

func TestFamilies(t *testing.T) {
	const five = "DB_HOST=db DB_PORT=7000 DB_USER=u DB_PASSWORD=p DB_NAME=n"
	for _, c := range []struct {
		name    string
		env     string
		file    string
		drivers Drivers
		names   []string
		want    string // names of what is found, with role and settings; else what the error says
	}{
		{"five, in a program with pgx alone", five, "", DriversOf(pgx), nil, "DB_HOST app u@db:7000/n"},
		{"five, in one with MySQL too", five, "", DriversOf(more), nil, `url_env = ["DB_HOST"]`},
		{"five, in one without a driver", five, "", DriversOf(nil), nil, `url_env = ["DB_HOST"]`},
		{"five, as told", five, "", DriversOf(more), []string{"DB_HOST"}, "DB_HOST app u@db:7000/n"},
		{"five, too early", five, "", NotListed, nil, "not known yet"},
		{"five, and a URL", five + " DATABASE_URL=postgres://u:p@h/x", "", DriversOf(pgx), []string{"DATABASE_URL"}, "DATABASE_URL app u@h:5432/x; DB_HOST other u@db:7000/n"},
		{"five of who knows, and a URL", five + " DATABASE_URL=postgres://u:p@h/x", "", DriversOf(more), []string{"DATABASE_URL"}, "DATABASE_URL app u@h:5432/x"},
		{"the port of Postgres", strings.Replace(five, "7000", "5432", 1), "", DriversOf(more), nil, "DB_HOST app u@db:5432/n"},
		{"the port of MySQL", strings.Replace(five, "7000", "3306", 1), "", DriversOf(pgx), nil, "no database URL"},
		{"Laravel, pgsql", "DB_CONNECTION=pgsql DB_HOST=db DB_PORT=7000 DB_DATABASE=n DB_USERNAME=u DB_PASSWORD=", "", Undecided, nil, "DB_HOST app u@db:7000/n"},
		{"Laravel, mysql", "DB_CONNECTION=mysql DB_HOST=db DB_PORT=5432 DB_DATABASE=n DB_USERNAME=u DB_PASSWORD=", "", DriversOf(pgx), nil, "no database URL"},
		{"DATABASE_", "DATABASE_HOST=db DATABASE_PORT=5433 DATABASE_USER=u DATABASE_PASS=p", "", Undecided, nil, "DATABASE_HOST app u@db:5433/u"},
		{"POSTGRES_", "POSTGRES_SERVER=db POSTGRES_PORT=7000 POSTGRES_USER=u POSTGRES_PASSWORD=p POSTGRES_DB=n", "", Undecided, nil, "POSTGRES_SERVER app u@db:7000/n"},
		{"PG* with a prefix", "SHOP_PGHOST=db SHOP_PGPORT=7000 SHOP_PGUSER=u SHOP_PGPASSWORD=p SHOP_PGDATABASE=n", "", Undecided, nil, "SHOP_PGHOST app u@db:7000/n"},
		{"DB_ with a prefix", strings.ReplaceAll(five, "DB_", "SHOP_DB_"), "", DriversOf(pgx), nil, "SHOP_DB_HOST app u@db:7000/n"},
		{"two of them", five + " " + strings.NewReplacer("DB_", "LOG_DB_", "=n", "=m").Replace(five), "", DriversOf(pgx), nil, "DB_HOST app u@db:7000/n; LOG_DB_HOST app u@db:7000/m"},
		{"in .env", "", strings.ReplaceAll(five, " ", "\n"), DriversOf(pgx), nil, "DB_HOST app u@db:7000/n"},
		{"half in .env", "DB_PASSWORD=p", "DB_HOST=db\nDB_PORT=7000\nDB_USER=u", DriversOf(pgx), nil, "DB_HOST app u@db:7000/u"},
		{"no port", "DB_HOST=db DB_USER=u DB_PASSWORD=p", "", DriversOf(pgx), nil, "no variable DB_PORT"},
		{"no port, of who knows", "DB_HOST=db DB_USER=u DB_PASSWORD=p", "", Undecided, nil, "no database URL"},
		{"no port, as told", "DB_HOST=db DB_USER=u DB_PASSWORD=p", "", Undecided, []string{"DB_HOST"}, "no variable DB_PORT"},
		{"a URL as host", "DB_HOST=postgres://u:p@h/x", "", DriversOf(pgx), []string{"DB_HOST"}, "DB_HOST app u@h:5432/x"},
		{"keywords", "APP_DSN=host=db_user=u_password=p_dbname=n_port=7000_TimeZone=UTC", "", Undecided, nil, "APP_DSN other u@db:7000/n"},
		{"keywords of mail", "SMTP=host=db_user=u_password=p", "", Undecided, nil, "no database URL"},
		{"keywords of ADO.NET", "APP_DSN=host=db;user=u;dbname=n", "", Undecided, nil, "no database URL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := map[string]string{}
			for pair := range strings.FieldsSeq(c.env) {
				name, value, _ := strings.Cut(pair, "=")
				if strings.Contains(c.name, "keywords") {
					value = strings.ReplaceAll(value, "_", " ")
				}
				env[name] = value
			}
			found, err := Find(env, Files{main: []byte(c.file)}, Names{URLs: c.names, Drivers: c.drivers})
			var got []string
			for _, f := range found {
				_, id, err := f.Settings.Config(t.TempDir())
				got = append(got, fmt.Sprint(f.Name, " ", map[Role]string{App: "app", Other: "other"}[f.Role], " ", id, errText(err)))
			}
			if text := strings.Join(got, "; "); text != c.want && (text != "" || err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%s, %v; want %s", text, err, c.want)
			}
			if len(found) > 0 && err != nil {
				t.Errorf("beside it: %v", err)
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// All variables of a family lead to the listener together, and no other does.
func TestLead(t *testing.T) {
	env := Env([]string{"DB_HOST=db", "DB_PORT=5432", "DB_USER=u", "DB_USERNAME=u", "DB_PASS=p", "DB_NAME=n", "DB_SSL_MODE=require", "DB_POOL=5"})
	found, err := Find(env, nil, Names{})
	if err != nil || len(found) != 1 {
		t.Fatalf("%v, %v", found, err)
	}
	got := found[0].Lead(Target{Host: "127.0.0.1", Port: 7000, User: "u", Password: "secret", Database: "n"})
	want := map[string]string{"DB_HOST": "127.0.0.1", "DB_PORT": "7000", "DB_USER": "u", "DB_USERNAME": "u", "DB_PASS": "secret", "DB_NAME": "n", "DB_SSL_MODE": "disable"}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if found[0].Settings.Get("sslmode") != "require" {
		t.Error("the server is reached with less than it was asked for")
	}
}

// What a family says is never a secret, and nothing makes Find panic.
func FuzzEnviron(f *testing.F) {
	f.Add("DB_HOST=db\x00DB_PORT=5432\x00DB_USER=u\x00DB_PASSWORD=s3cr3t-Passw0rd", "DB_NAME=n")
	f.Add("X_PGHOST=db\x00X_PGPORT=1", "X_PGUSER=u\nX_PGPASSWORD=s3cr3t-Passw0rd")
	f.Add("APP_DSN=host=db dbname=n password='s3cr3t-Passw0rd", "")
	f.Fuzz(func(t *testing.T, text, file string) {
		env := Env(strings.Split(text, "\x00"))
		for _, drivers := range []Drivers{NotListed, Undecided, OnlyPostgres} {
			found, err := Find(env, Files{main: []byte(file)}, Names{URLs: []string{"DATABASE_URL", "DB_HOST"}, Drivers: drivers})
			var doubt *DoubtError
			if errors.As(err, &doubt) && !slices.Contains(slices.Collect(maps.Keys(env)), doubt.Name) && !strings.Contains(file, doubt.Name) {
				t.Fatalf("a doubt about %q", doubt.Name)
			}
			for _, one := range found {
				led := one.Lead(Target{Host: "127.0.0.1", Port: 1, User: "u", Password: "p", Database: "n"})
				if len(led) != len(one.Set) {
					t.Fatalf("%v of %v", led, one.Set)
				}
			}
		}
	})
}
