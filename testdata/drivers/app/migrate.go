package main

import (
	"fmt"
	"time"

	"github.com/golang-migrate/migrate/v4"
	_ "github.com/golang-migrate/migrate/v4/database/postgres"
	_ "github.com/golang-migrate/migrate/v4/source/file"
)

// lockTimeout is how long a migration waits for the advisory lock of another.
const lockTimeout = time.Second

// migrateUp runs the migrations of a directory with golang-migrate, and writes what it says of them.
func migrateUp(dir, url string) error {
	m, err := migrate.New("file://"+dir, url)
	if err != nil {
		return err
	}
	m.LockTimeout = lockTimeout
	if err := m.Up(); err != nil {
		fmt.Println("bad:", err)
	}
	fmt.Println("done")
	_, err = m.Close()
	return err
}
