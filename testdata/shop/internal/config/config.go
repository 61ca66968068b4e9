// Package config reads the shop's settings from the environment.
package config

import (
	"fmt"
	"net"
	"strconv"
	"time"
)

// Config is what the shop can be told. What concerns the database is read by
// dbguard.
type Config struct {
	Addr      string        // HOST:PORT to listen on; loopback and 8080 unless set
	Templates string        // directory of the page templates
	Grace     time.Duration // how long requests may take to finish at a stop
}

// FromEnv reads the configuration through getenv, normally os.Getenv.
func FromEnv(getenv func(string) string) (Config, error) {
	c := Config{
		Templates: or(getenv("TEMPLATES"), "templates"),
		Grace:     4 * time.Second, // below the 5 s after which most supervisors kill
	}
	port := or(getenv("PORT"), "8080")
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return Config{}, fmt.Errorf("PORT=%q is not a port number", port)
	}
	c.Addr = net.JoinHostPort(or(getenv("HOST"), "127.0.0.1"), port)
	return c, nil
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
