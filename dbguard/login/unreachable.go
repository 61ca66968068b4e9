package login

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
)

// Unreachable reports whether err, of a connect, is about the network: nothing listens there, the
// name is not known, time ran out, the connection broke off. An app that waits for its server
// waits for such an error, and gives up over what a server says, so it is told nothing: its
// connection is reset, the nearest to what it would meet without us.
func Unreachable(err error) bool {
	var server *pgconn.PgError
	var certificate *tls.CertificateVerificationError
	var alert tls.AlertError
	if errors.As(err, &server) || errors.As(err, &certificate) || errors.As(err, &alert) {
		return false
	}
	var network net.Error
	return errors.As(err, &network) || pgconn.Timeout(err) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// unreachable is how a login ends that is to be reset.
type unreachable struct{ error }

func (u unreachable) Error() string {
	return fmt.Sprintf("cannot connect to the database server: %v", u.error)
}

func (u unreachable) Unwrap() error { return u.error }

// reach ends the login of a client of the app whose upstream does not answer, before we have: a
// pg_isready in the app's command takes our first answer for that of a server. A stranger may not
// cause a connection upstream, and so is not told.
func (l *Listener) reach(p *pendingLogin, o *opening) error {
	if l.o.App == nil || l.o.App.Reached() || l.encrypting(p, o).Gen == 0 {
		return nil
	}
	p.wait(true)
	defer p.wait(false)
	if l.o.App.Reach(l.accepting) {
		return nil
	}
	return unreachable{errors.New("it does not answer")}
}
