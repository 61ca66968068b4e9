package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/osproc"
)

// settings are the defaults of a new cluster; the user may edit them in its postgresql.conf. fsync
// stays on: the data is kept between runs and must survive a crash. A commit does not wait for the
// disk: a crash of the machine loses the last half second of commits, and breaks nothing.
const settings = `
# written by devguard when it made this cluster
synchronous_commit = off
jit = off                       # development queries are short
log_line_prefix = '%m [%p] %a '
`

// ensureCluster makes the data directory if there is none. It is made beside its place and renamed,
// so that an interrupted initdb leaves no half of one.
func ensureCluster(ctx context.Context, sp spec) error {
	l := sp.Layout
	major, err := l.dataMajor()
	if err != nil {
		return err
	}
	if major != "" {
		return adopt(l.data(), sp.Account)
	}
	stale, _ := filepath.Glob(l.data() + ".new-*")
	for _, dir := range stale {
		_ = os.RemoveAll(dir) // of an interrupted start; space is all it costs
	}
	dir, err := os.MkdirTemp(l.Home, "data.new-")
	if err != nil {
		return fmt.Errorf("make the embedded Postgres' data folder: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := sp.Account.Own(dir); err != nil {
		return err
	}
	if err := initCluster(ctx, sp, dir); err != nil {
		return err
	}
	_ = os.Remove(l.data()) // an empty folder, or none
	if err := os.Rename(dir, l.data()); err != nil {
		return fmt.Errorf("put the embedded Postgres' data folder in place: %w", err)
	}
	return nil
}

// adopt gives data to the account: root's first run may have found no account postgres and used
// nobody.
func adopt(data string, account *Account) error {
	info, err := os.Stat(data)
	if err != nil {
		return err
	}
	if account == nil || owner(info) == account.UID {
		return nil
	}
	return filepath.WalkDir(data, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, account.UID, account.GID)
	})
}

// initCluster runs initdb in dir with a new password.
func initCluster(ctx context.Context, sp spec, dir string) error {
	password := rand.Text()
	pwfile := dir + ".password"
	if err := os.WriteFile(pwfile, []byte(password+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the embedded Postgres' password: %w", err)
	}
	defer os.Remove(pwfile)
	if err := sp.Account.Own(pwfile); err != nil {
		return err
	}
	if err := initdb(ctx, sp, dir, pwfile); err != nil {
		return err
	}
	conf, err := os.OpenFile(filepath.Join(dir, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = conf.WriteString(sp.Settings)
	if err := errors.Join(err, conf.Close()); err != nil {
		return fmt.Errorf("configure the embedded Postgres: %w", err)
	}
	return writeFile(sp.Layout.password(), []byte(password+"\n"))
}

// initdb tries several LC_CTYPE, the best first: the names of locales differ by system, and a
// minimal system has only C. The sort order is that of bytes in each of them.
func initdb(ctx context.Context, sp spec, dir, pwfile string) error {
	var err error
	for _, ctype := range []string{"C.UTF-8", "en_US.UTF-8", "C"} {
		cmd := exec.CommandContext(ctx, sp.Binaries.Path("initdb"), "-D", dir, "-U", role, "--pwfile="+pwfile,
			"-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--lc-ctype="+ctype,
			"-N") // an empty cluster lost with the machine's power is made again
		cmd.Dir = dir
		cmd.Env = serverEnv()
		sp.Account.Apply(cmd)
		osproc.EndWithParent(cmd, syscall.SIGKILL)
		var out []byte
		if out, err = cmd.CombinedOutput(); err == nil {
			return nil
		}
		text := strings.TrimSpace(string(out))
		err = logline.WithHint(fmt.Errorf("make the embedded Postgres' data in %s: initdb: %w:\n%s", sp.Layout.data(), err, text), hint(text))
		if ctx.Err() != nil || !strings.Contains(text, "invalid locale") {
			return err
		}
	}
	return err
}

// writeFile replaces path at once: a reader sees the old text or the new.
func writeFile(path string, text []byte) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, text, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// ping opens a session and closes it.
func (s *Server) ping(ctx context.Context) error {
	conn, err := pgconn.Connect(ctx, s.urlOf(database))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// ensureDatabase makes the app's database if it is not there.
func (s *Server) ensureDatabase(ctx context.Context) error {
	conn, err := pgconn.Connect(ctx, s.urlOf(role))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	found, err := conn.Exec(ctx, "select 1 from pg_database where datname = '"+database+"'").ReadAll()
	if err != nil {
		return err
	}
	if len(found[0].Rows) > 0 {
		return nil
	}
	_, err = conn.Exec(ctx, "create database "+database).ReadAll()
	return err
}
