package login

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// opening is what a client says before its startup message, and how it is encrypted
// from then on.
type opening struct {
	conn    net.Conn // the client's; from the handshake on its TLS
	in      *intake  // of conn
	privacy privacy
	owner   Owner // of a client that has asked for encryption; else nobody
}

// privacy is how far a client has come that asks for encryption.
type privacy int

const (
	unasked   privacy = iota
	refused           // it was told no, as the upstream would have told it, or by strangers' rules
	withheld          // it was told no, where the upstream might have said yes
	encrypted         // it was told yes
)

// Offer is what an upstream says to a client that asks for TLS.
type Offer int

// The offers.
const (
	NotKnown  Offer = iota // it cannot be reached
	NoTLS                  // it speaks none
	SpeaksTLS              // it does
	NotAsked               // it is a Unix socket: drivers differ in whether they ask there
)

// reply is what a client is answered that asks for encryption.
type reply int

const (
	sayNo     reply = iota // and it is no fault of ours
	sayInVain              // no; a client that leaves then wanted it
	sayYes
	hangUp // as an upstream that cannot be reached
)

// replyTo decides what a request for encryption is answered. code is its own. A
// stranger is told no, whatever there is: it may not cause a connection upstream.
func replyTo(code uint32, owner Owner, offer Offer) reply {
	switch {
	case owner.Gen == 0:
		return sayNo
	case code == codeGSS:
		return sayInVain
	}
	switch offer {
	case NotKnown:
		return hangUp
	case NoTLS:
		return sayNo
	case SpeaksTLS:
		return sayYes
	}
	return sayInVain
}

// errDirectTLS ends a login that begins with a handshake, as sslnegotiation=direct has it.
var errDirectTLS = errors.New("the client begins with a TLS handshake (sslnegotiation=direct)")

// handshakeError says why there is no TLS with a client that was told yes.
type handshakeError struct{ error }

func (e handshakeError) Error() string { return fmt.Sprintf("TLS with the client: %v", e.error) }

func (e handshakeError) Unwrap() error { return e.error }

// wanted reports whether err ends the login of a client that wanted encryption, and
// did not get what it takes.
func (o *opening) wanted(err error) bool {
	var handshake handshakeError
	switch {
	case errors.Is(err, errDirectTLS):
		return o.privacy == unasked || o.privacy == withheld // postgres.js takes no for yes
	case errors.As(err, &handshake):
		return !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, net.ErrClosed)
	}
	return o.privacy >= withheld && hasLeft(err)
}

// leftForTLS reports whether err ends the login of a client that was told no, and went.
func (o *opening) leftForTLS(err error) bool {
	return errors.Is(err, errDirectTLS) || o.privacy == refused && hasLeft(err)
}

// negotiate answers requests for encryption, until the client says what it wants: a
// startup message or a cancel.
func (o *opening) negotiate(answer func(code uint32) error) (*startup, *cancelRequest, error) {
	for {
		raw, err := readPacket(o.in)
		if err != nil {
			return nil, nil, err
		}
		switch code := binary.BigEndian.Uint32(raw[4:]); {
		case (code == codeSSL || code == codeGSS) && len(raw) == 8 && o.privacy != encrypted:
			if err := answer(code); err != nil {
				return nil, nil, err
			}
		case code == codeCancel && len(raw) > 12:
			return nil, &cancelRequest{binary.BigEndian.Uint32(raw[8:]), raw[12:]}, nil
		case code == codeCancel || code == codeSSL || code == codeGSS:
			return nil, nil, errPacket
		default:
			s, err := parseStartup(raw)
			return s, nil, err
		}
	}
}

// sayNo answers a request for encryption by a no.
func (o *opening) sayNo(then privacy) error {
	o.privacy = then
	_, err := o.conn.Write([]byte{'N'})
	return err
}

// encrypt answers a request for TLS by a yes. Nothing of the client's was read beyond
// its request: what it said before is not taken for what it says over TLS.
func (o *opening) encrypt(ctx context.Context, config *tls.Config) error {
	o.privacy = encrypted
	if _, err := o.conn.Write([]byte{'S'}); err != nil {
		return err
	}
	conn := tls.Server(o.conn, config)
	o.conn, o.in.r = conn, conn
	if err := conn.HandshakeContext(ctx); err != nil {
		return handshakeError{err}
	}
	return nil
}

// answer answers a request for encryption. Whose a client is, is found out once.
func (l *Listener) answer(p *pendingLogin, o *opening, code uint32) error {
	if o.privacy == unasked {
		o.owner = l.owner(p)
	}
	offer := NotAsked
	if o.owner.Gen > 0 && code == codeSSL {
		p.wait(true)
		offer = l.o.App.Offer(l.accepting)
		p.wait(false)
	}
	switch replyTo(code, o.owner, offer) {
	case sayYes:
		return o.encrypt(l.accepting, l.o.App.TLS())
	case sayInVain:
		return o.sayNo(withheld)
	case hangUp:
		return errNoTLS
	}
	return o.sayNo(refused)
}

// errNoTLS ends the login of a client that asks for TLS while the upstream cannot be reached.
var errNoTLS = unreachable{errors.New("the client asks for TLS, and it is not known whether the server speaks it")}
