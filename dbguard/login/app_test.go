package login

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
)

func TestTreat(t *testing.T) {
	app := Owner{Gen: 1}
	for name, c := range map[string]struct {
		owner  Owner
		relays bool
		by     privacy
		want   treatment
	}{
		"a stranger": {Owner{}, true, unasked, asStranger},
		"a stranger, where nothing may be relayed": {Owner{}, false, unasked, asStranger},
		"the app":                               {app, true, unasked, passedOn},
		"the app, where nothing may be relayed": {app, false, unasked, mismatched},
		"the app, after a no":                   {app, true, withheld, passedOn},
		"the app, over TLS":                     {app, true, encrypted, mismatched},
		"a stranger, over TLS":                  {Owner{}, true, encrypted, asStranger},
	} {
		if got := treat(c.owner, c.relays, c.by); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if got := termsFor(app); got != hiddenPassword {
		t.Errorf("another user of the system's: %v", got)
	}
	if got := termsFor(Owner{1, true}); got != noPassword {
		t.Errorf("our own user: %v", got)
	}
}

func TestReplyTo(t *testing.T) {
	app := Owner{Gen: 1}
	for name, c := range map[string]struct {
		code  uint32
		owner Owner
		offer Offer
		want  reply
	}{
		"a stranger":                            {codeSSL, Owner{}, SpeaksTLS, sayNo},
		"a stranger, by GSS":                    {codeGSS, Owner{}, SpeaksTLS, sayNo},
		"the app":                               {codeSSL, app, SpeaksTLS, sayYes},
		"the app, where the upstream says no":   {codeSSL, app, NoTLS, sayNo},
		"the app, where there is no upstream":   {codeSSL, app, NotKnown, hangUp},
		"the app, where it is a Unix socket":    {codeSSL, app, NotAsked, sayInVain},
		"the app, by GSS":                       {codeGSS, app, NotAsked, sayInVain},
		"the app, by GSS, whatever is upstream": {codeGSS, app, NoTLS, sayInVain},
	} {
		if got := replyTo(c.code, c.owner, c.offer); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestWanted(t *testing.T) {
	for name, c := range map[string]struct {
		by   privacy
		err  error
		want bool
	}{
		"left without asking":            {unasked, io.EOF, false},
		"left as the upstream refuses":   {refused, io.EOF, false},
		"left as devguard refuses":       {withheld, io.EOF, true},
		"left after the handshake":       {encrypted, io.ErrUnexpectedEOF, true},
		"reset after the handshake":      {encrypted, syscall.ECONNRESET, false},
		"an alert":                       {encrypted, handshakeError{errors.New("remote error: tls: bad certificate")}, true},
		"left in the handshake":          {encrypted, handshakeError{io.EOF}, true},
		"killed in the handshake":        {encrypted, handshakeError{syscall.ECONNRESET}, false},
		"too slow in the handshake":      {encrypted, handshakeError{os.ErrDeadlineExceeded}, false},
		"closed by us in the handshake":  {encrypted, handshakeError{net.ErrClosed}, false},
		"a handshake without a request":  {unasked, errDirectTLS, true},
		"a handshake after a no":         {refused, errDirectTLS, false},
		"a handshake inside of TLS":      {encrypted, errDirectTLS, false},
		"a bad packet after the request": {withheld, errPacket, false},
	} {
		if got := (&opening{privacy: c.by}).wanted(c.err); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
