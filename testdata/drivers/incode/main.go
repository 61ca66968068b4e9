// incode is an app whose code has a user, a password or TLS of its own beside its
// DATABASE_URL. It says who it is for the server, or why it is not let in.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/lib/pq"
)

// question is what the server is asked: whom it takes us for, and whether over TLS.
const question = "select current_user || case when ssl then ' over TLS' else '' end from pg_stat_ssl where pid = pg_backend_pid()"

var (
	user     = flag.String("user", "", "in place of the URL's")
	password = flag.String("password", "", "in place of the URL's")
	secure   = flag.String("tls", "", `"any" certificate, or the file of a CA`)
	driver   = flag.String("driver", "pgx", "pgx, pq, bun or go-pg")
	wait     = flag.Bool("wait", false, "try again while the server is down")
)

func main() {
	flag.Parse()
	connect := map[string]func() (string, error){"pgx": withPgx, "pq": withPq, "bun": withBun, "go-pg": withGoPg}[*driver]
	who, err := connect()
	for ; *wait && isDown(err); who, err = connect() {
		fmt.Println("waiting:", err)
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		fmt.Println("out:", err)
		return
	}
	fmt.Println("in as", who)
}

// isDown reports whether an error is of the network, or a server's that has just begun to start.
// Over what else a server says, many an app gives up.
func isDown(err error) bool {
	var network *net.OpError
	return errors.As(err, &network) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		err != nil && strings.Contains(err.Error(), "57P03")
}

// withPgx sets all of it on the pool's configuration, and the password before each
// connect, as for a token that expires.
func withPgx() (who string, err error) {
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		return "", err
	}
	if *user != "" {
		config.ConnConfig.User = *user
	}
	config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		if *password != "" {
			c.Password = *password
		}
		return nil
	}
	if *secure != "" {
		config.ConnConfig.TLSConfig = tlsConfig()
		config.ConnConfig.Fallbacks = nil
	}
	// A named statement would stay on the pooler's server, in the way of the next process: that
	// is what TestRestarts is about, not this.
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return "", err
	}
	defer pool.Close()
	err = pool.QueryRow(context.Background(), question).Scan(&who)
	return who, err
}

func tlsConfig() *tls.Config {
	if *secure == "any" {
		return &tls.Config{InsecureSkipVerify: true}
	}
	pem, err := os.ReadFile(*secure)
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: roots, ServerName: "localhost"}
}

// account is whom the URL says, with what the code has in its place.
func account(u *url.URL) (name, secret string) {
	name = u.User.Username()
	secret, _ = u.User.Password()
	if *user != "" {
		name = *user
	}
	if *password != "" {
		secret = *password
	}
	return name, secret
}

// withPq edits the URL, as lib/pq has no other way.
func withPq() (who string, err error) {
	u, err := url.Parse(os.Getenv("DATABASE_URL"))
	if err != nil {
		return "", err
	}
	u.User = url.UserPassword(account(u))
	if query := u.Query(); *secure != "" {
		query.Set("sslmode", "require")
		if *secure != "any" {
			query.Set("sslmode", "verify-full")
			query.Set("sslrootcert", *secure)
		}
		u.RawQuery = query.Encode()
	}
	db, err := sql.Open("postgres", u.String())
	if err != nil {
		return "", err
	}
	defer db.Close()
	err = db.QueryRow(question).Scan(&who)
	return who, err
}
