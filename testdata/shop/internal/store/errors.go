package store

import (
	"errors"
	"fmt"
	"strings"

	"github.com/devguard/devguard/dbguard"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// What callers branch on. With each of them but ErrUnknown nothing was stored.
var (
	// ErrConflict says that a row with the same name is there already, that a
	// row it refers to is not, or that it was decided on before.
	ErrConflict = errors.New("conflicts with what is stored")
	// ErrNotFound says that there is no such row.
	ErrNotFound = errors.New("not found")
	// ErrUnavailable says that the database could not be asked.
	ErrUnavailable = errors.New("the database is not available")
	// ErrUnknown says that the database was asked to store something and did
	// not answer: it may be stored or not.
	ErrUnknown = errors.New("the database did not say whether this was stored")
)

// explain says what an error of the database means to callers.
func explain(err error) error {
	var pg *pgconn.PgError
	switch class := dbguard.Classify(err); {
	case err == nil:
		return nil
	case class == dbguard.OutcomeUnknown:
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	case class != dbguard.Permanent:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case errors.Is(err, pgx.ErrNoRows):
		return ErrNotFound
	case !errors.As(err, &pg):
		return err
	case pg.Code == "23505", pg.Code == "23503":
		return fmt.Errorf("%w: %s", ErrConflict, pg.Detail)
	case away(pg.Code):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// away reports whether a server, or a pooler in its place, says by an SQLSTATE
// that it cannot serve now: connection (08), resources (53), operator (57) and
// system (58).
func away(sqlstate string) bool {
	for _, class := range []string{"08", "53", "57", "58"} {
		if strings.HasPrefix(sqlstate, class) {
			return true
		}
	}
	return false
}
