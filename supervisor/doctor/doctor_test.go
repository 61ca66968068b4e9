package doctor

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// well are facts of a machine and a project where nothing is wrong.
func well() Facts {
	return Facts{
		Project:   Project{Config: "devguard.toml", Runs: "./cmd/app"},
		Toolchain: &Toolchain{Version: "go1.26.8 for linux/amd64", Module: "go.mod", Packages: 3, Directories: 1, Modules: 1},
		Watch:     &Watch{Directories: 4, Files: 20, Mode: "events", FileSystem: "ext4", Limit: 8192, Used: 10, InstanceLimit: 128, InstanceUsed: 1},
		Sockets:   Sockets{Wanted: true},
		Ports:     []Port{{What: "control", Address: "127.0.0.1:7777"}},
		Databases: Databases{Found: []Database{reached()}},
		Hooks:     []Hook{{Name: "sqlc", Place: "devguard.toml:4", Program: "sqlc"}},
	}
}

func reached() Database {
	return Database{
		Variables: "DATABASE_URL", Name: "dev@db:5432/app", Version: "PostgreSQL 15.6", RoundTrip: 400 * time.Microsecond, TLS: "TLS 1.3",
		Kind: "postgres", Mode: "session", Reason: "PostgreSQL 15.6, reached directly", Grant: "grant it", DirectEnv: "DIRECT_URL",
	}
}

func TestAllIsWell(t *testing.T) {
	r := Examine(well())
	if r.Problems+r.Warnings != 0 || r.Schema != 1 {
		t.Errorf("%+v", r)
	}
	checks := map[string]bool{}
	for _, l := range r.Lines {
		if l.State != OK || l.Fix != "" || l.Text == "" {
			t.Errorf("%+v", l)
		}
		checks[l.Check] = true
	}
	for _, c := range []string{"configuration", "go", "module", "graph", "watch.limit", "files", "sockets", "port", "database", "database.mode", "database.tls", "database.rights", "hook"} {
		if !checks[c] {
			t.Errorf("nothing is said of %s", c)
		}
	}
}

// TestNothingIsKnown: a project without anything is no trouble of its own.
func TestNothingIsKnown(t *testing.T) {
	r := Examine(Facts{Project: Project{Runs: "npm"}, Sockets: Sockets{}, Databases: Databases{Named: []string{"DATABASE_URL"}}})
	if r.Problems+r.Warnings != 0 || !strings.Contains(textOf(r), "neither DATABASE_URL nor PGHOST is set") || !strings.Contains(textOf(r), "hold_sockets is off") {
		t.Errorf("%+v", r)
	}
	if b, _ := json.Marshal(Report{Schema: 1, Lines: []Line{}}); string(b) != `{"schema":1,"problems":0,"warnings":0,"lines":[]}` {
		t.Errorf("%s", b)
	}
}

func textOf(r Report) string {
	var b strings.Builder
	for _, l := range r.Lines {
		b.WriteString(string(l.State) + " " + l.Check + " " + l.Text + " | " + l.Fix + "\n")
	}
	return b.String()
}

// What changes one fact.
func goSays(version, failed, fix string) func(*Facts) {
	return func(f *Facts) { f.Toolchain.Version, f.Toolchain.Failed = version, &Trouble{failed, fix} }
}

func running(failed Trouble) func(*Facts) {
	return func(f *Facts) { f.Project.Running = []Running{{Name: "app", PID: 7, Failed: []Trouble{failed}}} }
}

func port(p Port) func(*Facts) { return func(f *Facts) { f.Ports = []Port{p} } }

func database(change func(*Database)) func(*Facts) {
	return func(f *Facts) { change(&f.Databases.Found[0]) }
}

func fails(code string) func(*Facts) {
	return database(func(d *Database) { d.Failed = &DatabaseTrouble{"it does not", code} })
}

func hook(h Hook) func(*Facts) {
	h.Name, h.Place = "m", "devguard.toml:4"
	return func(f *Facts) { f.Hooks = []Hook{h} }
}

// notOK is what one fact makes of a report where all is well otherwise.
var notOK = []struct {
	name   string
	change func(*Facts)
	want   string // of the one line that is not ok: state, check, and parts of text and fix
}{
	{"invalid", func(f *Facts) { f.Project.Invalid = []Trouble{{"devguard.toml:2:1: no such key", "did you mean it?"}} }, "problem configuration devguard.toml:2:1: no such key | did you mean it?"},
	{"invalid, without a hint", func(f *Facts) { f.Project.Invalid = []Trouble{{"x", ""}} }, "problem configuration x | correct that"},
	{"a failed hook", running(Trouble{"hook gen failed with exit code 3", "see for yourself"}), `warning running devguard "app": hook gen failed with exit code 3 | see for yourself`},
	{"a failed build", running(Trouble{"build: a.go:3:1: oops", ""}), `warning running devguard "app": build: a.go:3:1: oops | devguard status`},
	{"no go", goSays("", "there is no go command on PATH", "install Go"), "problem go there is no go command on PATH | install Go"},
	{"old go", goSays("go1.25", "go.mod requires go >= 1.99 (running go 1.25; GOTOOLCHAIN=local)", ""), "problem go go.mod requires go >= 1.99 | go env -w GOTOOLCHAIN=auto"},
	{"go.sum", goSays("go1.26", "missing go.sum entry for module x", ""), "problem module missing go.sum entry | go mod tidy"},
	{"not required", goSays("go1.26", "no required module provides package x.org/y; to add it: go get x.org/y (and 3 more)", ""), "problem module no required module | go mod tidy"},
	{"vendor", goSays("go1.26", "inconsistent vendoring in /x", ""), "problem module inconsistent vendoring | go mod vendor"},
	{"code", goSays("go1.26", "the package does not load: a.go:3:1: import cycle", ""), "problem graph a.go:3:1: import cycle | correct that"},
	{"watcher", func(f *Facts) { f.Watch.Notes = []Trouble{{"the limit of watches is reached", "sysctl"}} }, "warning watch the limit of watches is reached | sysctl"},
	{"watches", func(f *Facts) { f.Watch.Used = 8000 }, "warning watch.limit 8000 of 8192 watches | sudo sysctl fs.inotify.max_user_watches=524288"},
	{"remote", func(f *Facts) { f.Watch.Remote = &Remote{"/mnt/c/app", "9p"} }, "warning files /mnt/c/app (9p) may not report every change | in WSL below ~"},
	{"sockets", func(f *Facts) {
		f.Sockets.Refused = &Trouble{"pidfd_getfd: operation not permitted", "--cap-add SYS_PTRACE"}
	}, "warning sockets pidfd_getfd: operation not permitted | --cap-add SYS_PTRACE"},
	{"port of another", port(Port{What: "control", Address: "127.0.0.1:1", By: Holder{Another, 42, "nginx"}}), "problem port control 127.0.0.1:1 is in use by process 42 (nginx) | kill 42"},
	{"port of a stranger", port(Port{What: "control", Address: "127.0.0.1:1", By: Holder{State: Another}}), "problem port by a process of another user or container | sudo ss -ltnp"},
	{"port, perhaps", port(Port{What: "PORT", Address: ":8080", Guess: true, By: Holder{Another, 42, "nginx"}}), "warning port PORT :8080 is in use by process 42 | kill 42"},
	{"port that cannot be", port(Port{What: "control", Address: "127.0.0.1:1", Failed: "not allowed"}), "problem port cannot be listened on: not allowed | another address for control"},
	{"host", fails(CodeHost), "problem database DATABASE_URL: dev@db:5432/app: it does not | correct the host in DATABASE_URL"},
	{"silent", fails(CodeSilent), "problem database it does not | start the server"},
	{"timeout", fails(CodeTimeout), "problem database it does not | VPN"},
	{"certificate", fails(CodeCertificate), "problem database it does not | sslrootcert=FILE"},
	{"no TLS there", fails(CodeNoTLS), "problem database it does not | take sslmode out of DATABASE_URL"},
	{"settings", fails(CodeSettings), "problem database it does not | correct DATABASE_URL"},
	{"password", fails("28P01"), "problem database it does not | correct user and password"},
	{"no database", fails("3D000"), "problem database it does not | create the database"},
	{"full", fails("53300"), "problem database it does not | max_connections"},
	{"not allowed", fails("42501"), "problem database it does not | grant that"},
	{"something else", fails(CodeOther), "problem database it does not | psql"},
	{"devguard alone", fails(CodeOurs), `warning database devguard cannot log in as the app perhaps can | mode = "drain"`},
	{"slow", database(func(d *Database) { d.RoundTrip = 80 * time.Millisecond }), "warning database.latency 80ms a round trip | --embedded-db"},
	{"no TLS", database(func(d *Database) { d.TLS = "" }), "warning database.tls without TLS | sslmode=require"},
	{"fallback", database(func(d *Database) { d.Fallback, d.Mode, d.Reason = true, "drain", "sslcrl cannot be honoured" }), "warning database.mode mode drain, postgres: sslcrl | take that setting out"},
	{"unknown", database(func(d *Database) { d.Kind, d.Mode = "unknown", "transaction" }), "warning database.mode mode transaction, unknown | default_pool_size"},
	{"session on a transaction pooler", database(func(d *Database) { d.Kind = "transaction-pooler" }), `warning database.mode clash there (42P05, 26000) | mode = "auto"`},
	{"drain behind a pooler", database(func(d *Database) { d.Kind, d.Mode = "session-pooler", "drain" }), `warning database.mode mode drain, session-pooler | mode = "auto"`},
	{"migrates through a pooler", database(func(d *Database) { d.Kind, d.Mode, d.MigratesThere = "transaction-pooler", "transaction", true }), "warning database.mode hooks that migrate go through a transaction pooler | set DIRECT_URL"},
	{"rights", database(func(d *Database) { d.Rights = "permission denied" }), "warning database.rights permission denied | grant it"},
	{"one session", database(func(d *Database) { d.Single = "too many connections" }), "warning database.rights too many connections | connection limit"},
	{"loose", func(f *Facts) { f.Databases.Loose = []Trouble{{"X goes past devguard", ""}} }, "warning variable X goes past devguard | url_env"},
	{"hook", hook(Hook{Program: "x", Missing: &Trouble{"hook m: command not found: x", ""}}), "problem hook devguard.toml:4: hook m: command not found: x | install it"},
	{"literal", hook(Hook{Program: "x", Literal: true}), "warning hook has a password in its command | a variable that the tool reads"},
	{"spills", hook(Hook{Program: "migrate", Spills: []string{"DATABASE_URL"}}), "warning hook $DATABASE_URL on a command line | NAME=$DATABASE_URL migrate"},
	{"goose spills", hook(Hook{Program: "goose", Spills: []string{"DATABASE_URL"}}), "warning hook $DATABASE_URL on a command line | GOOSE_DBSTRING=$DATABASE_URL"},
	{"psql spills", hook(Hook{Program: "psql", Spills: []string{"DATABASE_URL"}}), "warning hook $DATABASE_URL on a command line | PGHOST"},
	{"shared", hook(Hook{Program: "x", Shared: []string{"api", "worker"}}), `warning hook "api" and "worker" have it | --config FILE`},
}

func TestLines(t *testing.T) {
	for _, c := range notOK {
		t.Run(c.name, func(t *testing.T) {
			f := well()
			c.change(&f)
			r := Examine(f)
			i := slices.IndexFunc(r.Lines, func(l Line) bool { return l.State != OK })
			if i < 0 || r.Problems+r.Warnings != 1 {
				t.Fatalf("%d problems, %d warnings:\n%s", r.Problems, r.Warnings, textOf(r))
			}
			l := r.Lines[i]
			text, fix, _ := strings.Cut(c.want, " | ")
			state, rest, _ := strings.Cut(text, " ")
			check, part, _ := strings.Cut(rest, " ")
			if !strings.Contains(documented(t), "`"+l.Check+"`") {
				t.Errorf("docs/json.md does not name %s", l.Check)
			}
			if string(l.State) != state || l.Check != check || !strings.Contains(l.Text, part) || !strings.Contains(l.Fix, fix) {
				t.Errorf("%+v, want %s", l, c.want)
			}
		})
	}
}

func documented(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestOtherwiseOK: what is as it should be, or as somebody wished.
func TestOtherwiseOK(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Facts)
		want   string
	}{
		{"no file", func(f *Facts) { f.Project.Config = "" }, "there is no devguard.toml"},
		{"runs", func(f *Facts) { f.Project.Running = []Running{{Name: "api", PID: 7}} }, `devguard "api" runs here, pid 7`},
		{"poll", func(f *Facts) { f.Watch.Asked, f.Watch.Mode, f.Watch.Remote = "2s", "poll", &Remote{"/x", "nfs"} }, "a look every 2s"},
		{"poll off", func(f *Facts) { f.Watch.Asked = "off" }, "only events"},
		{"macOS", func(f *Facts) { f.Sockets.System = "darwin" }, "no held sockets on darwin"},
		{"our port", func(f *Facts) { f.Ports[0].By.State = Ours }, "in use by the devguard that runs here"},
		{"on this machine", func(f *Facts) { f.Databases.Found[0].TLS, f.Databases.Found[0].Local = "", true }, "without TLS, on this machine"},
		{"off", func(f *Facts) { f.Databases.Found[0] = Database{Variables: "DATABASE_URL", Name: "x", Mode: "off"} }, "mode off, as configured"},
		{"by the by", func(f *Facts) {
			f.Databases.Found[0] = Database{Variables: "X", Name: "x", Role: ByTheBy, Mode: "auto"}
		}, "it was not asked"},
		{"embedded", func(f *Facts) { f.Databases = Databases{Embedded: true} }, "devguard run starts it"},
		{"a script", func(f *Facts) { f.Hooks[0].Program = "" }, "a shell script"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := well()
			c.change(&f)
			if r := Examine(f); r.Problems+r.Warnings != 0 || !strings.Contains(textOf(r), c.want) {
				t.Errorf("want %q:\n%s", c.want, textOf(r))
			}
		})
	}
}

func TestSpills(t *testing.T) {
	secret := func(name string) bool { return name == "DATABASE_URL" || name == "PGPASSWORD" }
	for text, want := range map[string]string{
		`migrate -path m -database "$DATABASE_URL" up`:       "DATABASE_URL",
		`migrate -database ${DATABASE_URL}?x=1 up`:           "DATABASE_URL",
		`psql postgres://dev:$PGPASSWORD@localhost/app`:      "PGPASSWORD",
		`cd db && goose postgres "${DATABASE_URL:?}" up`:     "DATABASE_URL",
		`env X=$DATABASE_URL tool`:                           "DATABASE_URL",
		`if true; then tool $DATABASE_URL; fi`:               "DATABASE_URL",
		`x=$(tool $DATABASE_URL)`:                            "DATABASE_URL",
		`tool $DATABASE_URL; tool $PGPASSWORD $DATABASE_URL`: "DATABASE_URL PGPASSWORD",
		`GOOSE_DBSTRING=$DATABASE_URL goose up`:              "",
		`A=1 B="$DATABASE_URL" tool`:                         "",
		`export X=$DATABASE_URL && tool`:                     "",
		`echo "$DATABASE_URL" | tool`:                        "",
		`if [ -z "$DATABASE_URL" ]; then exit 1; fi; tool`:   "",
		`tool '$DATABASE_URL'`:                               "",
		`tool \$DATABASE_URL`:                                "",
		`tool $HOME $DATABASE_URL_OTHER`:                     "",
		``:                                                   "",
		`tool "unfinished $DATABASE_URL`:                     "DATABASE_URL",
	} {
		if got := strings.Join(Spills(text, secret), " "); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestHasPassword(t *testing.T) {
	for command, want := range map[string]bool{
		"migrate -database postgres://dev:geheim@localhost/app up": true,
		"psql 'postgresql://dev:x%40y@h/db'":                       true,
		"migrate -database postgres://dev:$PW@localhost/app up":    false,
		"psql postgres://dev@localhost/app":                        false,
		"curl http://localhost:8080/a@b":                           false,
		"go generate ./...":                                        false,
	} {
		if got := HasPassword(command); got != want {
			t.Errorf("%s: %v", command, got)
		}
	}
}
