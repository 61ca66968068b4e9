package login

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// route is one way to reach an upstream: an address, with or without TLS.
type route struct {
	config           *pgconn.Config
	network, address string
	tls              *tls.Config // nil: no TLS
}

// routes returns the ways to reach what config describes, in the order in which
// pgconn takes them: hosts and their fallbacks as written, each host's addresses
// as looked up. An error means that there is none.
func routes(ctx context.Context, config *pgconn.Config) ([]route, error) {
	hosts := append([]*pgconn.FallbackConfig{{Host: config.Host, Port: config.Port, TLSConfig: config.TLSConfig}}, config.Fallbacks...)
	var all []route
	var problems []error
	for _, h := range hosts {
		addresses := []string{h.Host}
		if !isSocketDir(h.Host) {
			var err error
			if addresses, err = config.LookupFunc(ctx, h.Host); err != nil {
				problems = append(problems, err)
			}
		}
		for _, a := range addresses {
			r := route{config: config, tls: certificates(h.TLSConfig, config.SSLCertMode)}
			r.network, r.address = pgconn.NetworkAddress(a, h.Port)
			if _, _, err := net.SplitHostPort(a); err == nil {
				r.network, r.address = "tcp", a // a LookupFunc may name the port too
			}
			all = append(all, r)
		}
	}
	if len(all) == 0 {
		return nil, cmp.Or(errors.Join(problems...), errors.New("its host has no address"))
	}
	return all, nil
}

// isSocketDir reports whether a host is the directory of a Unix socket.
func isSocketDir(host string) bool { return filepath.IsAbs(host) || host != "" && host[0] == '/' }

// certificates applies sslcertmode to the TLS of a connection.
func certificates(t *tls.Config, mode string) *tls.Config {
	if t == nil || mode != "disable" {
		return t
	}
	t = t.Clone()
	t.Certificates, t.GetClientCertificate = nil, nil
	return t
}

// dial connects, up to where a startup message or a cancel is next. ctx bounds
// that, and so does the config's connect_timeout.
func (r route) dial(ctx context.Context) (net.Conn, error) {
	if r.config.ConnectTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.config.ConnectTimeout)
		defer cancel()
	}
	conn, err := r.config.DialFunc(ctx, r.network, r.address)
	if err != nil || r.tls == nil {
		return conn, err
	}
	secure, err := r.secure(ctx, conn)
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("TLS with %s: %w", r.address, err)
	}
	return secure, nil
}

// secure begins TLS on a connection.
func (r route) secure(ctx context.Context, conn net.Conn) (net.Conn, error) {
	if r.config.SSLNegotiation != "direct" {
		stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
		err := askForTLS(conn)
		if !stop() {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			return nil, err
		}
	}
	secure := tls.Client(conn, r.tls)
	return secure, secure.HandshakeContext(ctx)
}

// askForTLS sends an SSLRequest. The answer is one byte; whatever came with it
// unencrypted is left for the handshake to fail at (CVE-2021-23222).
func askForTLS(conn net.Conn) error {
	request := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 8}, codeSSL)
	if _, err := conn.Write(request); err != nil {
		return err
	}
	var answer [1]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return err
	}
	if answer[0] != 'S' {
		return errors.New("the server refuses it")
	}
	return nil
}

// cancel sends a CancelRequest and returns when the server has closed that
// connection, which is after it has signalled its process.
func (r route) cancel(ctx context.Context, pid uint32, key []byte) error {
	conn, err := r.dial(ctx)
	if err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	request, err := (&pgproto3.CancelRequest{ProcessID: pid, SecretKey: key}).Encode(nil)
	if err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	if _, err := conn.Write(request); err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(conn, loginBytes)) // an error is an end too
	return ctx.Err()
}
