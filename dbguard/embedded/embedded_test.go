package embedded

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestDataAndAddressAreKept(t *testing.T) {
	project, l := newProject(t)
	began := time.Now()
	first := acquire(t, Options{Project: project})
	t.Logf("first start: %v", time.Since(began))
	query(t, first.URL(), "create table kept (word text); insert into kept values ('grün')")
	if got := query(t, first.URL(), "select upper(word) from kept"); got[0] != "GRÜN" {
		t.Errorf("upper = %q: the characters are not UTF-8", got)
	}
	first.Close()
	awaitStopped(t, l)

	began = time.Now()
	second := acquire(t, Options{Project: project})
	t.Logf("start with data: %v", time.Since(began))
	if second.URL() != first.URL() {
		t.Errorf("the URL changed from %s to %s", first.URL(), second.URL())
	}
	if got := query(t, second.URL(), "select word from kept"); len(got) != 1 {
		t.Errorf("rows kept: %q", got)
	}
	if info, err := os.Stat(l.password()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the password's file: %v %v", info, err)
	}
}

func TestPasswordIsAsked(t *testing.T) {
	t.Parallel()
	project, _ := newProject(t)
	s := acquire(t, Options{Project: project, settings: noSync})
	wrong := strings.Replace(s.URL(), s.password, "wrong", 1)
	var refused *pgconn.PgError
	if _, err := pgconn.Connect(t.Context(), wrong); !errors.As(err, &refused) || refused.Code != "28P01" {
		t.Errorf("a wrong password: %v", err)
	}
}

// TestRaceOfDevguards starts several at once, kills all but one, then that one.
func TestRaceOfDevguards(t *testing.T) {
	t.Parallel()
	project, l := newProject(t)
	var all []*devguard
	for range 4 {
		all = append(all, spawn(t, self(t), project, nil))
	}
	url := all[0].url(t)
	for _, d := range all[1:] {
		if got := d.url(t); got != url {
			t.Errorf("two servers: %s and %s", url, got)
		}
	}
	for _, d := range all[1:] {
		d.kill()
	}
	query(t, url, "select 1") // the last share keeps it
	all[0].kill()
	awaitStopped(t, l)
}

// TestArriveWhileStopping takes a share at the moment the last one is dropped.
func TestArriveWhileStopping(t *testing.T) {
	t.Parallel()
	project, _ := newProject(t)
	for range 6 {
		s := acquire(t, Options{Project: project, settings: noSync})
		query(t, s.URL(), "select 1")
		s.Close()
	}
}

func TestSharesInOneProcess(t *testing.T) {
	t.Parallel()
	project, l := newProject(t)
	var wg sync.WaitGroup
	servers := make([]*Server, 3)
	for i := range servers {
		wg.Go(func() {
			s, err := Acquire(context.Background(), Options{Project: project, settings: noSync})
			if err != nil {
				t.Error(err)
				return
			}
			servers[i] = s
		})
	}
	wg.Wait()
	for _, s := range servers[1:] {
		s.Close()
		s.Close() // more than once is allowed
	}
	query(t, servers[0].URL(), "select 1")
	servers[0].Close()
	awaitStopped(t, l)
}

func TestGuardianKilled(t *testing.T) {
	project, l := newProject(t)
	old := acquire(t, Options{Project: project, settings: noSync})
	query(t, old.URL(), "create table kept ()")
	kill(t, guardianPid(t, l))
	s := acquire(t, Options{Project: project, settings: noSync}) // while the old share is held
	query(t, s.URL(), "select from kept")
	if s.URL() != old.URL() {
		t.Errorf("the URL changed from %s to %s", old.URL(), s.URL())
	}
}

// TestEverythingKilled is a crash: the log is replayed.
func TestEverythingKilled(t *testing.T) {
	t.Parallel()
	project, l := newProject(t)
	d := spawn(t, self(t), project, nil)
	url := d.url(t)
	query(t, url, "create table kept (); set synchronous_commit = on; insert into kept default values")
	guardian := guardianPid(t, l)
	postmaster, others := leftovers(l.data())
	d.kill()
	for _, pid := range append(others, postmaster, guardian) {
		signalPid(pid, syscall.SIGKILL) // some end with the others
	}
	s := acquire(t, Options{Project: project, settings: noSync})
	if got := query(t, s.URL(), "select 1 from kept"); len(got) != 1 {
		t.Errorf("rows after the crash: %q", got)
	}
}

// TestOnlyServerKilled leaves a session that computes and does not notice.
func TestOnlyServerKilled(t *testing.T) {
	t.Parallel()
	project, l := newProject(t)
	s := acquire(t, Options{Project: project, settings: noSync})
	busy, err := pgconn.Connect(t.Context(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	go busy.Exec(context.Background(), "do $$ begin loop end loop; end $$").Close()
	defer busy.Conn().Close()
	awaitActive(t, s.URL())
	guardian := guardianPid(t, l)
	pid, _ := postmasterPid(l.data())
	stopProcess(guardian) // it would start another
	kill(t, pid)
	kill(t, guardian)
	query(t, acquire(t, Options{Project: project, settings: noSync}).URL(), "select 1")
}

func awaitActive(t *testing.T, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for len(query(t, url, "select 1 from pg_stat_activity where query like 'do %' and state = 'active'")) == 0 {
		if ctx.Err() != nil {
			t.Fatal("the loop does not start")
		}
		pause(ctx)
	}
}

// TestServerKilledUnderItsGuardian is served again without any devguard's doing.
func TestServerKilledUnderItsGuardian(t *testing.T) {
	project, l := newProject(t)
	s := acquire(t, Options{Project: project, settings: noSync})
	pid, err := postmasterPid(l.data())
	if err != nil {
		t.Fatal(err)
	}
	kill(t, pid)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for s.ping(ctx) != nil {
		if ctx.Err() != nil {
			t.Fatalf("the server does not come back:\n%s", logSince(l.log(), 0))
		}
		pause(ctx)
	}
	if now, _ := postmasterPid(l.data()); now == pid {
		t.Error("the server was not killed")
	}
}

func TestHopeless(t *testing.T) {
	at := func(seconds ...int) (deaths []time.Time) {
		for _, s := range seconds {
			deaths = append(deaths, time.Unix(int64(s), 0))
		}
		return deaths
	}
	if hopeless(at(0, 1)) || hopeless(at(0, 1, 100)) || !hopeless(at(0, 100, 120, 130)) {
		t.Error("hopeless is three deaths in a minute")
	}
}

// TestLinkedProject is the same project by another path.
func TestLinkedProject(t *testing.T) {
	t.Parallel()
	project, _ := newProject(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(project, link); err != nil {
		t.Fatal(err)
	}
	a := acquire(t, Options{Project: project, settings: noSync})
	if b := acquire(t, Options{Project: link, settings: noSync}); a.URL() != b.URL() {
		t.Errorf("two servers of one project: %s and %s", a.URL(), b.URL())
	}
}

func TestPortTaken(t *testing.T) {
	project, l := newProject(t)
	s := acquire(t, Options{Project: project, settings: noSync})
	s.Close()
	awaitStopped(t, l)
	squatter, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(s.port))
	if err != nil {
		t.Fatal(err)
	}
	defer squatter.Close()
	again := acquire(t, Options{Project: project, settings: noSync})
	if again.port == s.port {
		t.Errorf("port %d is another's", s.port)
	}
	query(t, again.URL(), "select 1")
}

// TestStalePidFile has a pid file whose pid is now an innocent program's.
func TestStalePidFile(t *testing.T) {
	t.Parallel()
	project, l := newProject(t)
	acquire(t, Options{Project: project, settings: noSync}).Close()
	awaitStopped(t, l)
	text := strconv.Itoa(os.Getpid()) + "\n" + l.data() + "\n1\n1\n\n127.0.0.1\n\nready   \n"
	if err := os.WriteFile(l.data()+"/postmaster.pid", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	query(t, acquire(t, Options{Project: project, settings: noSync}).URL(), "select 1")
}

func TestCancelledStartLeavesNothing(t *testing.T) {
	t.Parallel()
	project, l := newProject(t)
	for _, after := range []time.Duration{0, 20 * time.Millisecond, 100 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		if s, err := Acquire(ctx, Options{Project: project, settings: noSync}); err == nil {
			s.Close()
		} else if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %v: %v", after, err)
		}
		cancel()
		awaitStopped(t, l)
	}
	query(t, acquire(t, Options{Project: project, settings: noSync}).URL(), "select 1")
}
