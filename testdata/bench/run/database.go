package run

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Database is an empty database for the shop.
type Database struct {
	URL   string
	Close func() // drops it
}

// OpenDatabase makes a database on the server of DATABASE_URL, else on a
// throwaway server in work.
func OpenDatabase(ctx context.Context, work string) (*Database, error) {
	server := os.Getenv("DATABASE_URL")
	stop := func() {}
	if server == "" {
		var err error
		if server, stop, err = throwaway(ctx, work); err != nil {
			return nil, fmt.Errorf("start a Postgres (or set DATABASE_URL): %w", err)
		}
	}
	db, err := createDatabase(ctx, server)
	if err != nil {
		stop()
		return nil, err
	}
	drop := db.Close
	db.Close = func() {
		drop()
		stop()
	}
	return db, nil
}

func createDatabase(ctx context.Context, server string) (*Database, error) {
	cfg, err := pgx.ParseConfig(server)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	name := fmt.Sprintf("shop_bench_%d", os.Getpid())
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return nil, err
	}
	own, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	own.Path = "/" + name
	drop := func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		conn, err := pgx.ConnectConfig(ctx, cfg)
		if err == nil {
			defer conn.Close(ctx)
			_, err = conn.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "the database %s is left: %v\n", name, err)
		}
	}
	return &Database{URL: own.String(), Close: drop}, nil
}

// throwaway starts a server on a loopback port, with its data in work.
func throwaway(ctx context.Context, work string) (server string, stop func(), err error) {
	bin, err := postgresPrograms()
	if err != nil {
		return "", nil, err
	}
	credential, err := serverAccount()
	if err != nil {
		return "", nil, err
	}
	dir := filepath.Join(work, "postgres")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", nil, err
	}
	if credential != nil {
		// Its account must reach the data directory, which stays its own.
		if err := errors.Join(os.Chmod(work, 0o711), os.Chown(dir, int(credential.Uid), int(credential.Gid))); err != nil {
			return "", nil, err
		}
	}
	data, log := filepath.Join(dir, "data"), filepath.Join(work, "postgres.log")
	initdb, err := Start(dir, log, os.Environ(), credential,
		filepath.Join(bin, "initdb"), "-N", "-A", "trust", "-U", "shop", "-D", data)
	if err != nil {
		return "", nil, err
	}
	if <-initdb.Done; !initdb.Cmd.ProcessState.Success() {
		return "", nil, initdb.Exited()
	}
	port, err := FreePort()
	if err != nil {
		return "", nil, err
	}
	postgres, err := Start(dir, log, os.Environ(), credential, filepath.Join(bin, "postgres"), "-D", data,
		"-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=")
	if err != nil {
		return "", nil, err
	}
	stop = func() { postgres.Stop(syscall.SIGINT, 10*time.Second) } // a fast shutdown
	server = fmt.Sprintf("postgres://shop@127.0.0.1:%d/postgres?sslmode=disable", port)
	if err := awaitServer(ctx, postgres, server); err != nil {
		stop()
		return "", nil, err
	}
	return server, stop, nil
}

// awaitServer returns once the server takes connections.
func awaitServer(ctx context.Context, postgres *Process, server string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, server)
		if err == nil {
			return conn.Close(ctx)
		}
		if ended := postgres.Exited(); ended != nil {
			return ended
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// postgresPrograms finds the folder of initdb and postgres: on PATH, else where
// distributions keep them.
func postgresPrograms() (string, error) {
	var candidates []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin",
		"/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin",
	} {
		dirs, _ := filepath.Glob(pattern)
		candidates = append(candidates, dirs...)
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		candidates = append(candidates, filepath.Dir(path))
	}
	for _, dir := range slices.Backward(candidates) {
		_, err := exec.LookPath(filepath.Join(dir, "postgres"))
		_, err2 := exec.LookPath(filepath.Join(dir, "initdb"))
		if err == nil && err2 == nil {
			return dir, nil
		}
	}
	return "", errors.New("no initdb and postgres found: install the package postgresql")
}

// serverAccount is whom the server runs as: ourselves, but it refuses root.
func serverAccount() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		if account, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}
