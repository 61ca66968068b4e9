package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	_ "github.com/lib/pq" // the driver "postgres"
)

// pqDriver uses lib/pq: the unnamed statement over two round trips, or, with
// prepared statements, names that count from 1 in each session.
type pqDriver struct {
	db       *sql.DB
	prepared []*sql.Stmt // nil where preparing failed; empty without
}

var errNotPrepared = errors.New("the statement could not be prepared")

func openPQ(url string, prepare bool) (driver, error) {
	db, err := sql.Open("postgres", url)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(workers)
	db.SetMaxIdleConns(workers)
	d := &pqDriver{db: db}
	for k := range statements {
		if !prepare {
			break
		}
		s, err := db.Prepare(statement(k))
		if err != nil {
			fmt.Println("bad:", brief(err))
		}
		d.prepared = append(d.prepared, s)
	}
	return d, nil
}

func (d *pqDriver) query(ctx context.Context, k, id int) (r row, err error) {
	if len(d.prepared) == 0 {
		err = d.db.QueryRowContext(ctx, statement(k), id).Scan(&r.id, &r.name, &r.v)
		return r, err
	}
	if d.prepared[k] == nil {
		return r, errNotPrepared
	}
	err = d.prepared[k].QueryRowContext(ctx, id).Scan(&r.id, &r.name, &r.v)
	return r, err
}

func (d *pqDriver) close() {
	for _, s := range d.prepared {
		if s != nil {
			_ = s.Close()
		}
	}
	_ = d.db.Close()
}
