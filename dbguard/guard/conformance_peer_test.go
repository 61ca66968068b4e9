package guard

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// peer is a client that speaks the protocol itself and writes down, in order,
// every message that it is sent.
type peer struct {
	*testing.T
	target target
	url    string
	conn   net.Conn
	in     *bufio.Reader
	login  *pgconn.HijackedConn
	heard  *[]string // the transcript, shared by all peers of a check
	prefix string    // of this peer's lines
	run    *sameLines
	told   []string // notifications: when they come is the server's choice

	mayBeClosed bool // the check ends with a connection that the server closes
}

// sameLines sums up a run of rows, which would fill the transcript.
type sameLines struct {
	kind  byte
	count int
	sum   uint32
}

// longRun is how many rows are written down one by one.
const longRun = 20

func newPeer(t *testing.T, target target) *peer {
	t.Helper()
	p := &peer{T: t, target: target, url: target.url, heard: &[]string{}}
	p.connect("")
	return p
}

// another returns a second client of the same target; its lines begin with prefix.
func (p *peer) another(prefix string) *peer {
	p.Helper()
	q := &peer{T: p.T, target: p.target, url: p.url, heard: p.heard, prefix: prefix}
	q.connect("")
	return q
}

// connect logs in with more parameters in the URL.
func (p *peer) connect(params string) {
	p.Helper()
	conn, err := pgconn.Connect(p.Context(), p.url+params)
	if err == nil {
		err = conn.SyncConn(p.Context()) // a slow write of the login may have left a reader behind
	}
	if err == nil {
		p.login, err = conn.Hijack()
	}
	if err != nil {
		p.Fatal(err)
	}
	p.conn, p.in = p.login.Conn, bufio.NewReaderSize(p.login.Conn, 64<<10)
	p.Cleanup(func() { p.conn.Close() })
}

// end says goodbye and waits until the other side has closed.
func (p *peer) end() {
	p.Helper()
	if p.mayBeClosed {
		p.conn.Close()
		return
	}
	p.send(&pgproto3.Terminate{})
	if n, err := io.Copy(io.Discard, p.in); err != nil || n > 0 {
		p.Errorf("after Terminate: %d bytes, %v", n, err)
	}
}

func (p *peer) write(format string, args ...any) {
	*p.heard = append(*p.heard, p.prefix+fmt.Sprintf(format, args...))
}

func (p *peer) send(list ...pgproto3.FrontendMessage) {
	p.Helper()
	if _, err := p.conn.Write(p.encode(list)); err != nil {
		p.Fatal(err)
	}
}

func (p *peer) encode(list []pgproto3.FrontendMessage) (out []byte) {
	p.Helper()
	var err error
	for _, m := range list {
		if out, err = m.Encode(out); err != nil {
			p.Fatal(err)
		}
	}
	return out
}

// say sends messages at once and hears the replies up to one ReadyForQuery for
// each that the protocol answers with it.
func (p *peer) say(list ...pgproto3.FrontendMessage) {
	p.Helper()
	readies := 0
	for _, m := range list {
		switch m.(type) {
		case *pgproto3.Sync, *pgproto3.Query, *pgproto3.FunctionCall:
			readies++
		}
	}
	p.sayFor(readies, list...)
}

// sayFor is say where something else than that is right: COPY swallows Syncs.
func (p *peer) sayFor(readies int, list ...pgproto3.FrontendMessage) {
	p.Helper()
	sent := make(chan error, 1)
	out := p.encode(list)
	go func() { // the other side may stop reading until it is read from
		_, err := p.conn.Write(out)
		sent <- err
	}()
	p.hearTo('Z', readies)
	if err := <-sent; err != nil {
		p.Fatal(err)
	}
}

// sql sends simple queries, one after the other.
func (p *peer) sql(texts ...string) {
	p.Helper()
	for _, text := range texts {
		p.say(query(text))
	}
}

// hearTo writes down what comes, up to the count-th message of a type.
func (p *peer) hearTo(typ byte, count int) {
	p.Helper()
	for count > 0 {
		got, body := p.receive()
		if got == typ {
			count--
		}
		p.hear(got, body)
	}
	p.endRun()
}

func (p *peer) receive() (typ byte, body []byte) {
	p.Helper()
	_ = p.conn.SetReadDeadline(time.Now().Add(15 * time.Second))
	var head [5]byte
	if _, err := io.ReadFull(p.in, head[:]); err != nil {
		p.Fatalf("%v after\n%s", err, strings.Join(*p.heard, "\n"))
	}
	body = make([]byte, binary.BigEndian.Uint32(head[1:])-4)
	if _, err := io.ReadFull(p.in, body); err != nil {
		p.Fatal(err)
	}
	return head[0], body
}

// hear writes a message down; of rows in long runs a sum.
func (p *peer) hear(typ byte, body []byte) {
	if p.run != nil && p.run.kind != typ {
		p.endRun()
	}
	if typ != 'D' && typ != 'd' {
		p.write("%s", p.words(typ, body))
		return
	}
	if p.run == nil {
		p.run = &sameLines{kind: typ}
	}
	if p.run.count++; p.run.count <= longRun {
		p.write("%s", p.words(typ, body))
		return
	}
	p.run.sum = p.run.sum*31 + digest(body)
}

func (p *peer) endRun() {
	if r := p.run; r != nil && r.count > longRun {
		p.write("%c: %d in all, sum %x", r.kind, r.count, r.sum)
	}
	p.run = nil
}

func digest(b []byte) uint32 { return crc32.ChecksumIEEE(b) }

// words is what has to be equal of a message: not what names a session, a
// source line or a table by its number.
func (p *peer) words(typ byte, body []byte) string {
	switch typ {
	case 'E', 'N':
		return string(typ) + " " + fields(body)
	case 'T':
		return "T " + columns(body)
	case 'A':
		channel, rest, _ := bytes.Cut(body[4:], []byte{0})
		p.told = append(p.told, fmt.Sprintf("%s %s", channel, bytes.TrimRight(rest, "\x00")))
		return "A"
	}
	if len(body) > 200 {
		return fmt.Sprintf("%c %d bytes, sum %x", typ, len(body), digest(body))
	}
	return fmt.Sprintf("%c %q", typ, body)
}

// fields keeps of an error what a program or a person goes by.
func fields(body []byte) string {
	var out []string
	for f := range bytes.SplitSeq(body, []byte{0}) {
		if len(f) > 0 && strings.IndexByte("SVCMDHWP", f[0]) >= 0 {
			out = append(out, string(f))
		}
	}
	return strings.Join(out, "|")
}

func columns(body []byte) string {
	var d pgproto3.RowDescription
	if d.Decode(body) != nil {
		return fmt.Sprintf("%q", body)
	}
	var out []string
	for _, f := range d.Fields {
		out = append(out, fmt.Sprintf("%s:%d:%d:%d:%d:%d:%t", f.Name, f.DataTypeOID, f.DataTypeSize,
			f.TypeModifier, f.Format, f.TableAttributeNumber, f.TableOID != 0))
	}
	return strings.Join(out, " ")
}

// notifications writes down those that have come so far.
func (p *peer) notifications() {
	*p.heard = slices.DeleteFunc(*p.heard, func(line string) bool { return line == p.prefix+"A" })
	p.write("notifications: %q", p.told)
}

// owner runs SQL on the target's database, past devguard and any pooler.
func (p *peer) owner(sql string) string {
	p.Helper()
	results, err := p.target.owner.Exec(p.Context(), sql).ReadAll()
	if err != nil {
		p.Fatalf("%s: %v", sql, err)
	}
	if last := results[len(results)-1]; len(last.Rows) == 1 {
		return string(last.Rows[0][0])
	}
	return ""
}

// runs waits until a query of the target's database with that text sleeps.
func (p *peer) runs(text string) {
	p.Helper()
	until(p.T, func() bool {
		return p.owner(`select count(*) from pg_stat_activity where datname = current_database()
			and state = 'active' and wait_event = 'PgSleep' and pid <> pg_backend_pid() and query like '%`+text+`%'`) != "0"
	})
}

// cancel sends a CancelRequest and waits until it has been dealt with.
func (p *peer) cancel() {
	p.Helper()
	ctx, done := context.WithTimeout(p.Context(), 10*time.Second)
	defer done()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.conn.RemoteAddr().String())
	if err != nil {
		p.Fatal(err)
	}
	defer conn.Close()
	request := &pgproto3.CancelRequest{ProcessID: p.login.PID, SecretKey: p.login.SecretKey}
	out, err := request.Encode(nil)
	if err == nil {
		_, err = conn.Write(out)
	}
	if err != nil {
		p.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, _ = conn.Read(make([]byte, 1)) // closed when it is done; a reset says that too
}
