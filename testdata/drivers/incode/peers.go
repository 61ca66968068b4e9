package main

import (
	"context"
	"crypto/tls"
	"database/sql"
	"net/url"
	"os"
	"strings"

	"github.com/go-pg/pg/v10"
	"github.com/uptrace/bun/driver/pgdriver"
)

// given is what the URL says, with what the code has in its place.
func given() (host, name, secret, database string, config *tls.Config, err error) {
	u, err := url.Parse(os.Getenv("DATABASE_URL"))
	if err != nil {
		return "", "", "", "", nil, err
	}
	name, secret = account(u)
	database = strings.TrimPrefix(u.Path, "/")
	if *secure != "" {
		config = tlsConfig()
	}
	if config == nil && u.Query().Get("sslmode") == "require" {
		config = &tls.Config{InsecureSkipVerify: true}
	}
	return u.Host, name, secret, database, config, nil
}

// withBun gives all of it to bun's driver by options.
func withBun() (who string, err error) {
	host, name, secret, database, config, err := given()
	if err != nil {
		return "", err
	}
	encrypt := pgdriver.WithInsecure(true)
	if config != nil {
		encrypt = pgdriver.WithTLSConfig(config)
	}
	db := sql.OpenDB(pgdriver.NewConnector(pgdriver.WithAddr(host), pgdriver.WithUser(name), pgdriver.WithPassword(secret), pgdriver.WithDatabase(database), encrypt))
	defer db.Close()
	err = db.QueryRow(question).Scan(&who)
	return who, err
}

// withGoPg gives all of it to go-pg by options.
func withGoPg() (who string, err error) {
	host, name, secret, database, config, err := given()
	if err != nil {
		return "", err
	}
	db := pg.Connect(&pg.Options{Addr: host, User: name, Password: secret, Database: database, TLSConfig: config})
	defer db.Close()
	_, err = db.WithContext(context.Background()).QueryOne(pg.Scan(&who), question)
	return who, err
}
