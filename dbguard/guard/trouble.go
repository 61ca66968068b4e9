package guard

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/dsn"
)

// trouble is why a server could not be used.
type trouble struct {
	reason  string // one line, without secrets, the same each time for the same trouble
	code    string // SQLSTATE, or one of the codes of examine.go
	reached bool   // something answered
	full    bool   // no session was free: worth another try
}

// explain says in one line why connect failed. Of an error that joins several (a host with several
// addresses, with TLS and without) it names what got furthest.
func explain(err error, s dsn.Settings) trouble {
	var server *pgconn.PgError
	var unknown *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &server):
		reason := s.Scrub(fmt.Sprintf("the server refuses us: %s (%s)", oneLine(server.Message), server.Code))
		return trouble{reason: reason, code: server.Code, reached: true, full: isFull(server)}
	case errors.As(err, &unknown) && !unknown.IsTimeout:
		return trouble{reason: fmt.Sprintf("the host %q is not known", unknown.Name), code: codeHost}
	case isCertificate(err):
		return trouble{reason: s.Scrub("its certificate is not accepted: " + oneLine(certificateTrouble(err).Error())), code: codeCertificate, reached: true}
	case refusesTLS(err):
		return trouble{reason: noTLS, code: codeNoTLS, reached: true}
	case timedOut(err):
		return trouble{reason: "no answer in time", code: codeTimeout}
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		return trouble{reason: "nothing listens there", code: codeSilent}
	case errors.As(err, &op): // its text would hold our port, a new one each time
		t := trouble{reason: s.Scrub(fmt.Sprintf("%s: %v", op.Op, op.Err)), code: codeOther, reached: true}
		if op.Op == "dial" {
			t.code, t.reached = codeSilent, false
		}
		return t
	case oursAlone(err):
		return trouble{reason: s.Scrub(oneLine(err.Error())), code: codeOurs, reached: true}
	}
	return trouble{reason: s.Scrub(oneLine(err.Error())), code: codeOther, reached: true}
}

// isCertificate reports whether a server's certificate is the trouble.
func isCertificate(err error) bool { return certificateTrouble(err) != nil }

// certificateTrouble is what is wrong with a server's certificate; nil: nothing.
func certificateTrouble(err error) error {
	var unverified *tls.CertificateVerificationError
	if errors.As(err, &unverified) {
		return unverified
	}
	var authority x509.UnknownAuthorityError
	if errors.As(err, &authority) {
		return authority
	}
	return nil
}

// timedOut reports whether err says that time ran out. The clock of ctx is no
// help: a socket's own deadline may fire a moment before it.
func timedOut(err error) bool {
	var network net.Error
	return pgconn.Timeout(err) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}

// isFull reports whether the server or a pooler has no session left for us.
func isFull(e *pgconn.PgError) bool {
	return e.Code == "53300" || e.Code == "57P03" // too_many_connections, cannot_connect_now
}

// oneLine puts a message of several lines on one.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
