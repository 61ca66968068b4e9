package login

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
)

// The server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677) as Postgres speaks it:
// auth-scram.c is where the wording of the errors and what is tolerated come from.

const (
	scramMechanism = "SCRAM-SHA-256"

	// Stretching a random 128-bit password gains nothing, and with the usual 4,096
	// iterations costs each new connection of the app 0.6 ms. One is enough for
	// libpq and pgx, which leave the name empty; of the others lib/pq takes no
	// count of fewer than four digits (v1.12.3, scram/scram.go), and a leading zero
	// is against RFC 5802 and refused by node's pg. RFC 7677 asks for 4,096, on which
	// the library of pgjdbc is said to insist, so they get these.
	iterations, iterationsIfNamed = 1, 4096

	saltSize  = 16
	nonceSize = 18
)

// Secret is how the password of one generation of the app is checked. It holds keys
// made of the password, not the password.
type Secret struct {
	gen          int
	plain, named keys
}

// keys are what a password becomes with one of the numbers of iterations.
type keys struct{ stored, server [sha256.Size]byte }

// Secret makes the secret of a password of generation gen, which must be ASCII, for
// the clients of this listener alone.
func (l *Listener) Secret(gen int, password string) Secret { return newSecret(gen, password, l.salt) }

// newSecret makes the secret of a password, which is ASCII so that SASLprep changes
// nothing.
func newSecret(gen int, password string, salt []byte) Secret {
	return Secret{gen, newKeys(password, salt, iterations), newKeys(password, salt, iterationsIfNamed)}
}

func newKeys(password string, salt []byte, iterations int) keys {
	// It fails only in FIPS 140-only mode, for a salt or a password shorter than ours.
	salted, _ := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	return keys{
		stored: sha256.Sum256(hmacSHA256(salted, []byte("Client Key"))),
		server: [sha256.Size]byte(hmacSHA256(salted, []byte("Server Key"))),
	}
}

// newSalt returns a random salt for newSecret.
func newSalt() []byte {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // never fails: crypto/rand ends the program instead
	return salt
}

func hmacSHA256(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// scram is one exchange.
type scram struct {
	salt  []byte
	ours  string // our part of the nonce
	bound string // the client's gs2 header, which it must repeat in base64
	named bool   // the client gives a name
	nonce string // both parts
	auth  string // client-first-message-bare and server-first-message, with their commas
}

func newScram(salt []byte) *scram {
	nonce := make([]byte, nonceSize)
	_, _ = rand.Read(nonce)
	return &scram{salt: salt, ours: base64.StdEncoding.EncodeToString(nonce)}
}

// first takes the client-first-message and returns the server-first-message.
func (s *scram) first(msg []byte) ([]byte, error) {
	if err := checkText(msg); err != nil {
		return nil, err
	}
	p := attributes(msg)
	if err := s.header(&p); err != nil {
		return nil, err
	}
	bare := string(p)
	if strings.HasPrefix(bare, "m=") {
		return nil, refuse("0A000", "client requires an unsupported SCRAM extension")
	}
	// The name of the startup message is what counts.
	name, err := p.take('n')
	if err != nil {
		return nil, err
	}
	s.named = name != ""
	theirs, err := p.take('r')
	if err != nil {
		return nil, err
	}
	if strings.ContainsFunc(theirs, func(r rune) bool { return r < 0x21 || r > 0x7e }) {
		return nil, refuse("08P01", "non-printable characters in SCRAM nonce")
	}
	s.nonce = theirs + s.ours
	count := iterations
	if s.named {
		count = iterationsIfNamed
	}
	reply := fmt.Sprintf("r=%s,s=%s,i=%d", s.nonce, base64.StdEncoding.EncodeToString(s.salt), count)
	s.auth = bare + "," + reply + ","
	return []byte(reply), nil
}

// header takes the gs2 header: a flag for channel binding and an identity, which
// must both be absent in effect.
func (s *scram) header(p *attributes) error {
	flag, rest := (*p)[0], (*p)[1:]
	switch {
	case flag == 'p':
		return malformed("The client selected SCRAM-SHA-256 without channel binding, but the SCRAM message includes channel binding data.")
	case flag != 'n' && flag != 'y':
		return malformed("Unexpected channel-binding flag %s.", quoteByte(flag))
	case rest == "" || rest[0] != ',':
		return malformed("Comma expected, but found %s.", firstOf(rest))
	case strings.HasPrefix(string(rest[1:]), "a"):
		return refuse("0A000", "client uses authorization identity, but it is not supported")
	case rest[1:] == "" || rest[1] != ',':
		return malformed("Unexpected attribute %s in client-first-message.", firstOf(rest[1:]))
	}
	s.bound = string(flag) + ",,"
	*p = rest[2:]
	return nil
}

// final takes the client-final-message and returns the server-final-message and
// the secret that fits; nil when none does.
func (s *scram) final(msg []byte, secrets []Secret) ([]byte, *Secret, error) {
	if err := checkText(msg); err != nil {
		return nil, nil, err
	}
	p := attributes(msg)
	bound, err := p.take('c')
	if err != nil {
		return nil, nil, err
	}
	if bound != base64.StdEncoding.EncodeToString([]byte(s.bound)) {
		return nil, nil, refuse("08P01", "unexpected SCRAM channel-binding attribute in client-final-message")
	}
	nonce, err := p.take('r')
	if err != nil {
		return nil, nil, err
	}
	without, raw, err := p.proof(string(msg))
	if err != nil {
		return nil, nil, err
	}
	if subtle.ConstantTimeCompare([]byte(nonce), []byte(s.nonce)) != 1 {
		return nil, nil, refuse("08P01", "invalid SCRAM response", "Nonce does not match.")
	}
	auth := []byte(s.auth + without)
	fits := s.matching(raw, auth, secrets)
	if fits == nil {
		return nil, nil, nil
	}
	signature := hmacSHA256(s.keysOf(fits).server[:], auth)
	return []byte("v=" + base64.StdEncoding.EncodeToString(signature)), fits, nil
}

// matching returns the secret that a proof was made with. It takes the same time
// whichever it is.
func (s *scram) matching(proof, auth []byte, secrets []Secret) *Secret {
	found := -1
	for i := range secrets {
		stored := &s.keysOf(&secrets[i]).stored
		key := make([]byte, sha256.Size)
		subtle.XORBytes(key, proof, hmacSHA256(stored[:], auth))
		hashed := sha256.Sum256(key)
		same := subtle.ConstantTimeCompare(hashed[:], stored[:])
		found = subtle.ConstantTimeSelect(same, i, found)
	}
	if found < 0 {
		return nil
	}
	return &secrets[found]
}

// keysOf returns what the password is checked with in this exchange.
func (s *scram) keysOf(of *Secret) *keys {
	if s.named {
		return &of.named
	}
	return &of.plain
}

// checkText returns an error for what is no string.
func checkText(msg []byte) error {
	switch {
	case len(msg) == 0:
		return malformed("The message is empty.")
	case bytes.IndexByte(msg, 0) >= 0:
		return malformed("Message length does not match input length.")
	}
	return nil
}

// attributes is the unread part of a message such as "n=x,r=y".
type attributes string

// take returns the value of the next attribute, which must have this name.
func (p *attributes) take(name byte) (string, error) {
	if *p == "" || (*p)[0] != name {
		return "", malformed("Expected attribute \"%c\" but found %s.", name, firstOf(*p))
	}
	return p.value()
}

// value returns the value of the next attribute; there must be one.
func (p *attributes) value() (string, error) {
	s := string(*p)
	if len(s) < 2 || s[1] != '=' {
		return "", malformed("Expected character \"=\" for attribute %s.", firstOf(*p))
	}
	value, rest, _ := strings.Cut(s[2:], ",")
	*p = attributes(rest)
	return value, nil
}

// proof takes the rest of the message msg: extensions, and the proof at the end.
// It also returns what comes before that, which is what is proved.
func (p *attributes) proof(msg string) (without string, proof []byte, err error) {
	for {
		if *p == "" || !('a' <= (*p)[0]|0x20 && (*p)[0]|0x20 <= 'z') {
			return "", nil, malformed("Attribute expected, but found %s.", firstOf(*p))
		}
		name, at := (*p)[0], len(msg)-len(*p)
		value, err := p.value()
		if err != nil {
			return "", nil, err
		}
		if name != 'p' {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(value)
		if err != nil || len(raw) != sha256.Size {
			return "", nil, malformed("Malformed proof in client-final-message.")
		}
		if *p != "" {
			return "", nil, malformed("Garbage found at the end of client-final-message.")
		}
		return msg[:at-1], raw, nil
	}
}

func malformed(format string, args ...any) error {
	return refuse("08P01", "malformed SCRAM message", fmt.Sprintf(format, args...))
}

// firstOf describes what a message goes on with.
func firstOf(p attributes) string {
	if p == "" {
		return "the end of the message"
	}
	return quoteByte(p[0])
}

// quoteByte shows a byte of a stranger's.
func quoteByte(b byte) string { return fmt.Sprintf("%q", string(rune(b))) }
