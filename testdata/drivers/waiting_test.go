package drivers

import (
	"bufio"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// waiting returns clients that try again while their server is down, and give up over anything
// that it says but that it is starting.
func waiting() []client {
	inShell := func(name, try string) client {
		return client{name, func(t *testing.T, url string, c code) *exec.Cmd {
			ask := psql(t, url, c)
			loop := `until said=$(` + try + `); do
				case $said in *FATAL*"starting up"*) ;; *FATAL*) echo out: $said; exit;; esac
				echo waiting: $said; sleep 0.02
			done
			exec "$@"`
			return exec.Command("sh", append([]string{"-c", loop, ask.Path}, ask.Args...)...)
		}}
	}
	return []client{
		inShell("psql", `"$@" 2>&1`), inShell("pg_isready", `pg_isready -d "$4" 2>&1`),
		inGo("pgx", "-wait"), inGo("pq", "-wait"), inGo("bun", "-wait"), inGo("go-pg", "-wait"),
		inNode("pg", nodePgVersion, "wait"), inNode("postgres", postgresJSVersion, "wait"),
	}
}

// TestServerThatIsDown: an app that waits for its server at its start waits through devguard as it
// does without, whoever it logs in as, and is served when the server is there.
func TestServerThatIsDown(t *testing.T) {
	for name, code := range map[string]code{"nothing": {}, "a user": {user: "other", password: "secret-of-other"}, "TLS": {tls: "any"}} {
		for _, who := range waiting() {
			if who.name == "pg_isready" && code != (struct{ user, password, tls string }{}) {
				continue // it has no code
			}
			t.Run(strings.ReplaceAll(name, " ", "_")+"/"+who.name, func(t *testing.T) {
				t.Parallel()
				s := pgtest.Start(t, pgtest.SSL(), pgtest.HBA("host all all 127.0.0.1/32 scram-sha-256"))
				s.CreateRole(t, "dev", "secret-of-dev", "")
				s.CreateRole(t, "other", "secret-of-other", "")
				url := s.URL(pgtest.Conn{User: "dev", Password: "secret-of-dev", Database: "postgres"})
				s.Stop(t)
				app := &family{}
				g, _, replaced := openGuardOf(t, app)
				direct, through := &attempt{}, &attempt{}
				direct.start(t, &family{}, who.command(t, url, code))
				through.start(t, app, who.command(t, ledTo(t, g, 1, url), code))
				for range 3 {
					direct.line(t, "waiting: ")
					through.line(t, "waiting: ")
				}
				s.StartAgain(t)
				if got, want := through.line(t, "in as "), direct.line(t, "in as "); got != want {
					t.Errorf("through devguard: %s; without: %s", got, want)
				}
				if len(replaced) > 0 {
					t.Error("the app was restarted")
				}
			})
		}
	}
}

// attempt is a client that runs.
type attempt struct{ out *bufio.Scanner }

func (a *attempt) start(t *testing.T, f *family, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	f.start(t, 1, cmd)
	limit := time.AfterFunc(60*time.Second, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() {
		limit.Stop()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	a.out = bufio.NewScanner(out)
}

// line returns the next line, which begins like this; lines of waiting may come before.
func (a *attempt) line(t *testing.T, begin string) string {
	t.Helper()
	for a.out.Scan() {
		switch line := a.out.Text(); {
		case strings.HasPrefix(line, begin):
			return line
		case !strings.HasPrefix(line, "waiting: "):
			t.Fatalf("want a line %q, and it says: %s", begin, line)
		}
	}
	t.Fatalf("it ended without a line %q", begin)
	return ""
}

// descendants returns pids and all processes below them.
func descendants(pids []int) []int {
	out, _ := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
	below := map[int][]int{}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 2 {
			pid, _ := strconv.Atoi(f[0])
			parent, _ := strconv.Atoi(f[1])
			below[parent] = append(below[parent], pid)
		}
	}
	for i := 0; i < len(pids); i++ {
		pids = append(pids, below[pids[i]]...)
	}
	return pids
}
