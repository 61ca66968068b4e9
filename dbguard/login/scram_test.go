package login

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// proven returns what the client of RFC 5802 puts after the part of its final
// message that it proves.
func proven(password string, salt []byte, auth string, iterations int) string {
	block := hmacSHA256([]byte(password), salt, []byte{0, 0, 0, 1})
	salted := slices.Clone(block)
	for range iterations - 1 {
		block = hmacSHA256([]byte(password), block)
		for i, b := range block {
			salted[i] ^= b
		}
	}
	key := hmacSHA256(salted, []byte("Client Key"))
	stored := newKeys(password, salt, iterations).stored
	for i, b := range hmacSHA256(stored[:], []byte(auth)) {
		key[i] ^= b
	}
	return ",p=" + base64.StdEncoding.EncodeToString(key)
}

func TestScramFindsTheGeneration(t *testing.T) {
	salt := newSalt()
	passwords := []string{"aa", "bb", "cc"}
	var secrets []Secret
	for i, p := range passwords {
		secrets = append(secrets, newSecret(10+i, p, salt))
	}
	for name, iterations := range map[string]int{"": iterations, "whoever": iterationsIfNamed} {
		for i, password := range append(passwords, "dd") {
			fits, err := fitting(name, password, salt, iterations, secrets)
			switch {
			case err != nil:
				t.Fatal(err)
			case i == len(passwords) && fits != nil:
				t.Errorf("%q fits generation %d", password, fits.gen)
			case i < len(passwords) && (fits == nil || fits.gen != 10+i):
				t.Errorf("%q fits %v", password, fits)
			}
		}
	}
}

// fitting does an exchange and returns the secret that fits.
func fitting(name, password string, salt []byte, iterations int, secrets []Secret) (*Secret, error) {
	s := newScram(salt)
	bare := "n=" + name + ",r=abc,x=an extension"
	reply, err := s.first([]byte("y,," + bare))
	if err != nil {
		return nil, err
	}
	nonce, _, _ := strings.Cut(strings.TrimPrefix(string(reply), "r="), ",")
	without := "c=eSws,r=" + nonce + ",x=1"
	_, fits, err := s.final([]byte(without+proven(password, salt, bare+","+string(reply)+","+without, iterations)), secrets)
	return fits, err
}

// TestScramSuitsDrivers: lib/pq, which gives a name, takes no iteration count of
// fewer than four digits, node's pg (likewise) none that begins with a zero.
func TestScramSuitsDrivers(t *testing.T) {
	for first, count := range map[string]string{"n,,n=,r=abc": "1", "n,,n=*,r=abc": "[1-9][0-9]{3}", "n,,n=dev,r=abc": "[1-9][0-9]{3}"} {
		reply, err := newScram(newSalt()).first([]byte(first))
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`^r=abc[^,]+,s=[^,]{4,},i=` + count + `$`).Match(reply) {
			t.Errorf("%s is answered %q", first, reply)
		}
	}
}

// firstMessages are client-first-messages that a server refuses.
var firstMessages = []string{
	"", "x", "x,,n=,r=a", "n", "n,", "nx,n=,r=a", "y", "p=tls-server-end-point,,n=,r=a", "p", "n,a=me,n=,r=a", "n,b,n=,r=a",
	"n,,", "n,,m=x,n=,r=a", "n,,r=a", "n,,n", "n,,n=", "n,,n=,", "n,,n=,x=a", "n,,n=,r", "n,,n=,r=\x01", "n,,n=,r=a b", "n,,n=,r=\x00", "n,,n=,r=é",
}

// finalMessages are client-final-messages that a server refuses; NONCE stands for
// the right one.
var finalMessages = []string{
	"", "c", "c=biws", "c=eSws,r=NONCE,p=AAAA", "c=,r=NONCE,p=AAAA", "c=biws,r=x,p=AAAA", "c=biws,r=NONCEx,p=AAAA", "c=biws,r=NONCE",
	"c=biws,r=NONCE,p=AAAA", "c=biws,r=NONCE,p=", "c=biws,r=NONCE,p=!", "r=NONCE,p=AAAA", "c=biws,r=NONCE,p=AAAA\x00",
	"c=biws,r=NONCE,p=" + zeroProof, "c=biws,r=NONCE,x=1,p=" + zeroProof, "c=biws,r=NONCE,p=" + zeroProof + ",",
	"c=biws,r=NONCE,,p=" + zeroProof, "c=biws,r=NONCE,1=1,p=" + zeroProof, "c=biws,r=NONCE,p=" + zeroProof + ",x=1", "c=biws,r=NONCE,x,p=" + zeroProof,
}

const zeroProof = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

// What is refused is refused with the code and the message of a real server.
func TestScramErrorsAreTheServers(t *testing.T) {
	clearPG(t)
	real := pgtest.Start(t)
	real.CreateRole(t, "dev", password, "")
	stub := tcpStub(t, Options{})
	servers := []string{stub.Addr().String(), net.JoinHostPort(real.Host, strconv.Itoa(real.Port))}
	compare := func(first, final string) {
		t.Helper()
		ours, theirs := scramError(t, servers[0], first, final), scramError(t, servers[1], first, final)
		if ours.Code != theirs.Code || ours.Message != theirs.Message || ours.Severity != theirs.Severity || (ours.Detail == "") != (theirs.Detail == "") {
			t.Errorf("%q %q\n ours:   %s %s (%s)\n theirs: %s %s (%s)", first, final, ours.Code, ours.Message, ours.Detail, theirs.Code, theirs.Message, theirs.Detail)
		}
	}
	for _, first := range firstMessages {
		compare(first, "")
	}
	for _, final := range finalMessages {
		compare("n,,n=,r=abc", final)
	}
}

// scramError logs in to an address with these messages and returns the error
// that ends it.
func scramError(t *testing.T, addr, first, final string) *pgproto3.ErrorResponse {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = conn.Write(joined(startupPacket(3<<16, "user", "dev", "database", "postgres"), saslInitial(first)))
	f := pgproto3.NewFrontend(conn, conn)
	for {
		msg, err := f.Receive()
		if err != nil {
			t.Fatalf("%q %q: %v", first, final, err)
		}
		switch m := msg.(type) {
		case *pgproto3.AuthenticationSASLContinue:
			nonce, _, _ := bytes.Cut(bytes.TrimPrefix(m.Data, []byte("r=")), []byte(","))
			_, _ = conn.Write(message('p', bytes.ReplaceAll([]byte(final), []byte("NONCE"), nonce)))
		case *pgproto3.ErrorResponse:
			kept := *m
			return &kept
		}
	}
}

// A server proves itself too: a client must notice one that does not know the
// password.
func TestScramServerSignatureIsChecked(t *testing.T) {
	clearPG(t)
	var wrong Secret
	l, err := Listen("tcp", "127.0.0.1:0", Options{Secrets: func() []Secret { return []Secret{wrong} }, Serve: func(context.Context, *Client) {}})
	if err != nil {
		t.Fatal(err)
	}
	wrong = l.Secret(1, firstPassword)
	wrong.plain.server[0] ^= 1
	wrong.named.server[0] ^= 1
	defer l.Close(t.Context())
	_, err = pgconn.Connect(t.Context(), "postgres://dev:"+firstPassword+"@"+l.Addr().String()+"/app?sslmode=disable")
	if err == nil || errors.As(err, new(*pgconn.PgError)) || !strings.Contains(err.Error(), "ServerSignature") {
		t.Errorf("%v", err)
	}
}
