package login

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

// What a first packet may be beside a startup message (protocol manual, "Message
// Formats"): codes that no protocol version has.
const (
	codeCancel = 80877102
	codeSSL    = 80877103
	codeGSS    = 80877104
)

// errPacket is the end of a login that deserves no answer: a server logs "invalid
// length of startup packet" and hangs up, as this may well not be a Postgres client.
var errPacket = errors.New("invalid length of a packet")

// intake reads whole packets before a login, never more than left bytes in all,
// and never a byte more than was asked for: what follows is the session's.
type intake struct {
	r    io.Reader
	left int
}

// next returns the next n bytes, in memory of their own.
func (in *intake) next(n int) ([]byte, error) {
	if n < 0 || n > in.left {
		return nil, errPacket
	}
	in.left -= n
	b := make([]byte, n)
	_, err := io.ReadFull(in.r, b)
	return b, err
}

// startup is a startup message.
type startup struct {
	raw     []byte            // the packet, with its length
	version uint32            // the protocol that is asked for: major<<16 | minor
	params  map[string]string // but the _pq_.* options; the last of several counts
	options []string          // names of the _pq_.* options, in order
}

// cancelRequest is a CancelRequest; its key is as long as the client likes.
type cancelRequest struct {
	pid    uint32
	secret []byte
}

// readPacket reads a packet without a type: a length, which counts itself, and at
// least a code.
func readPacket(in *intake) ([]byte, error) {
	head, err := in.next(4)
	if err != nil {
		return nil, err
	}
	if head[0] == 0x16 && head[1] == 3 { // a handshake record of TLS
		return nil, errDirectTLS
	}
	size := binary.BigEndian.Uint32(head)
	if size < 8 || size > uint32(in.left+4) {
		return nil, errPacket
	}
	body, err := in.next(int(size) - 4)
	return append(head, body...), err
}

// parseStartup takes a packet apart that should be a startup message.
func parseStartup(raw []byte) (*startup, error) {
	s := &startup{raw: raw, version: binary.BigEndian.Uint32(raw[4:]), params: map[string]string{}}
	if s.version>>16 != 3 {
		return nil, &versionError{s.version}
	}
	rest := raw[8:]
	for {
		name, after, ok := cutString(rest)
		if ok && name == "" && len(after) == 0 {
			break
		}
		value, after, ok2 := cutString(after)
		if !ok || !ok2 || name == "" {
			return nil, refuse("08P01", "invalid startup packet layout: expected terminator as last byte")
		}
		if strings.HasPrefix(name, "_pq_.") {
			s.options = append(s.options, name)
		} else {
			s.params[name] = value
		}
		rest = after
	}
	if s.params["user"] == "" {
		return nil, refuse("28000", "no PostgreSQL user name specified in startup packet")
	}
	return s, nil
}

// cutString returns the string that b begins with, up to its zero, and the rest.
func cutString(b []byte) (s string, rest []byte, ok bool) {
	head, rest, ok := bytes.Cut(b, []byte{0})
	return string(head), rest, ok
}

// settle returns the protocol that will be spoken, and what tells the client so
// when that is not what it asked for, else nil. Minor versions and options that
// we do not know are no error: the client may go on without them.
func (s *startup) settle() (version uint32, told *pgproto3.NegotiateProtocolVersion) {
	version = min(s.version, pgproto3.ProtocolVersionLatest)
	if version == s.version && len(s.options) == 0 {
		return version, nil
	}
	return version, &pgproto3.NegotiateProtocolVersion{
		NewestMinorProtocol: version, UnrecognizedOptions: slices.Clone(s.options)}
}

// versionError says that a client speaks a protocol that we do not.
type versionError struct{ version uint32 }

func (e *versionError) Error() string {
	return fmt.Sprintf("unsupported frontend protocol %d.%d: server supports 3.0 to 3.2", e.version>>16, e.version&0xffff)
}

// answer returns the error as such a client can read it: before protocol 3
// messages had no length (elog.c, send_message_to_frontend).
func (e *versionError) answer() []byte {
	if e.version>>16 < 3 {
		return []byte("EFATAL:  " + e.Error() + "\n\x00")
	}
	return encode(Fatal("0A000", e.Error()))
}
