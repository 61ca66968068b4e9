package guard

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/devguard/devguard/dbguard/dsn"
)

// TestExplainJoined: a host has two addresses, or is tried with TLS and without. The sentence and the
// code are about the attempt that got furthest, whichever was made first.
func TestExplainJoined(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	rows := map[string]struct {
		other        error
		reason, code string
	}{
		"alone":       {nil, "nothing listens there", codeSilent},
		"certificate": {x509.UnknownAuthorityError{}, "its certificate is not accepted: x509: certificate signed by unknown authority", codeCertificate},
		"no TLS":      {errors.New("server refused TLS connection"), "server refused TLS connection", codeNoTLS},
		"time":        {context.DeadlineExceeded, "no answer in time", codeTimeout},
		"no host":     {&net.DNSError{Name: "nowhere", IsNotFound: true}, `the host "nowhere" is not known`, codeHost},
	}
	for name, row := range rows {
		for _, err := range []error{errors.Join(refused, row.other), errors.Join(row.other, refused)} {
			err = fmt.Errorf("failed to connect: %w", err)
			got := explain(err, dsn.Settings{})
			if got.reason != row.reason {
				t.Errorf("%s: %q, want %q", name, got.reason, row.reason)
			}
			if got.code != row.code {
				t.Errorf("%s: code %q, want %q", name, got.code, row.code)
			}
		}
	}
}
