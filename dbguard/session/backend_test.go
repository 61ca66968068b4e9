package session

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

// backend is a server as far as statements, portals and transactions go: what postgres.c does with
// each message, and when it sends what it has to say.
type backend struct {
	t       *testing.T
	shapes  map[string]int // of the tables: ALTER counts them up
	pooled  bool           // other clients' transactions run between ours; a named statement is a bug
	in      []byte
	unsent  []byte
	out     []byte
	status  byte
	skip    bool
	copying byte     // Q or E
	queued  []string // statements of the Query under way
	fed     bool     // that has had data
	strayed bool     // a Sync has come behind an Execute's data: the session fails a COPY for it
	stmts   map[string]prepared
	portals map[string]*cursor
	clashed bool // 0A000 has been raised
	gone    bool
	clean   bool // gone by Terminate
	// What was written by the transaction that is open, and before it.
	pending, committed []string

	pooler pooler
}

type prepared struct {
	sql   string
	shape int
}

type cursor struct {
	sql, arg string
	shape    int
	row      int
	done     bool
}

func newBackend(t *testing.T, pooled bool) *backend {
	b := &backend{t: t, pooled: pooled, status: 'I', shapes: map[string]int{}, stmts: map[string]prepared{},
		portals: map[string]*cursor{}}
	b.idle()
	return b
}

func (b *backend) say(messages ...string) { b.unsent = append(b.unsent, wire(messages...)...) }

func (b *backend) flush() {
	b.out = append(b.out, b.unsent...)
	b.unsent = nil
}

// idle ends a transaction; a pooler then gives the connection to others.
func (b *backend) idle() {
	clear(b.portals)
	if b.pooled {
		b.stmts = map[string]prepared{"": {"select foreign", b.shapes["foreign"]}}
	}
}

func (b *backend) commit() { b.committed, b.pending = append(b.committed, b.pending...), nil }

func (b *backend) ready() {
	if b.pooler.dirty && b.status == 'I' && (len(b.in) == 0 || b.pooler.copied) {
		b.pooler.given = true
	}
	b.pooler.copied = false
	if b.status == 'I' {
		b.commit()
		b.idle()
	}
	b.say("Z" + string(b.status))
	b.flush()
}

func (b *backend) fail(how byte, state, message string) {
	if b.status == 'T' {
		b.status = 'E'
	}
	b.copying, b.queued = 0, nil
	b.pending = nil
	clear(b.portals)
	b.say("ESERROR|VERROR|C" + state + "|M" + message + "||")
	b.flush()
	if how == 'Q' {
		b.ready()
	} else {
		b.skip = true
	}
}

func (b *backend) run() {
	for len(b.in) >= headLen {
		n := 1 + int(binary.BigEndian.Uint32(b.in[1:]))
		if len(b.in) < n || b.gone {
			return
		}
		typ, body := b.in[0], strings.Split(string(b.in[headLen:n]), "\x00")
		b.in = b.in[n:]
		b.message(typ, body)
	}
}

func (b *backend) message(typ byte, body []string) {
	switch {
	case b.copying != 0:
		b.copyMessage(typ, body[0])
	case typ == 'X':
		b.gone, b.clean = true, true
	case typ == 'S':
		b.skip = false
		b.ready()
	case b.skip || typ == 'd' || typ == 'c' || typ == 'f':
	case typ == 'H':
		b.flush()
	case typ == 'Q':
		delete(b.stmts, "")
		delete(b.portals, "")
		b.query(body[0])
	case typ == 'F':
		b.say("V\xff\xff\xff\xff")
		b.ready()
	case typ == 'P':
		b.parse(body[0], body[1])
	case typ == 'B':
		b.bind(body[0], body[1], body[2])
	case typ == 'E':
		b.execute(body[0], body[1:])
	case typ == 'D':
		b.describe(body[0])
	case typ == 'C':
		b.close(body[0])
	}
}

func (b *backend) copyMessage(typ byte, body string) {
	how := b.copying
	b.strayed = b.strayed || b.fed && typ == 'S' && how == 'E'
	b.fed = typ == 'd' || b.fed && typ != 'c' && typ != 'f'
	switch {
	case typ == 'd' && body != "bad", typ == 'S', typ == 'H':
	case typ == 'd', typ == 'f':
		b.fail(how, "57014", "COPY failed")
	case typ == 'c':
		b.copying = 0
		b.pending = append(b.pending, "copy")
		b.say("CCOPY 1|")
		if how == 'Q' {
			b.next()
		}
	default:
		b.say("ESERROR|VERROR|C08P01|Munexpected message type||", "ESFATAL|VFATAL|C08P01|Mlost||")
		b.flush()
		b.gone = true
	}
}

func ends(sql string) bool {
	return sql == "commit" || strings.EqualFold(sql, "rollback") || sql == "ROLLBACK AND CHAIN"
}

const aborted = "current transaction is aborted, commands ignored until end of transaction block"

func (b *backend) named(name string) {
	if b.pooled && name != "" {
		b.t.Errorf("a named statement reached the pooler: %q", name)
	}
}

func (b *backend) parse(name, sql string) {
	b.named(name)
	if name == "" {
		delete(b.stmts, "")
	}
	_, exists := b.stmts[name]
	switch {
	case sql == "bad":
		b.fail('E', "42601", "syntax error")
	case b.status == 'E' && !ends(sql) && sql != "":
		b.fail('E', "25P02", aborted)
	case exists:
		b.fail('E', "42P05", `prepared statement "`+name+`" already exists`)
	default:
		b.stmts[name] = prepared{sql, b.shapes[table(sql)]}
		b.say("1")
	}
}

func table(sql string) string {
	if t, ok := strings.CutPrefix(sql, "select "); ok {
		return t
	}
	return ""
}

// lookup finds a statement and plans it again if need be.
func (b *backend) lookup(name string) (prepared, bool) {
	b.named(name)
	p, ok := b.stmts[name]
	if ok {
		return p, true
	}
	if name == "" {
		b.fail('E', "26000", "unnamed prepared statement does not exist")
	} else {
		b.fail('E', "26000", `prepared statement "`+name+`" does not exist`)
	}
	return p, false
}

func (b *backend) unchanged(p prepared) bool {
	if p.shape == b.shapes[table(p.sql)] {
		return true
	}
	b.clashed = true
	b.fail('E', "0A000", "cached plan must not change result type")
	return false
}

func (b *backend) bind(portal, name, arg string) {
	p, ok := b.lookup(name)
	switch {
	case !ok:
	case b.status == 'E' && !ends(p.sql):
		b.fail('E', "25P02", aborted)
	case portal != "" && b.portals[portal] != nil:
		b.fail('E', "42P03", "cursor already exists")
	case b.unchanged(p):
		b.portals[portal] = &cursor{sql: p.sql, arg: arg, shape: p.shape}
		b.say("2")
	}
}

func (b *backend) describe(target string) {
	kind, name := target[0], target[1:]
	p := prepared{}
	if kind == 'P' {
		c := b.portals[name]
		if c == nil {
			b.fail('E', "34000", "portal does not exist")
			return
		}
		p = prepared{c.sql, c.shape}
	} else {
		var ok bool
		if p, ok = b.lookup(name); !ok {
			return
		}
		if b.status == 'E' && table(p.sql) != "" {
			b.fail('E', "25P02", aborted)
			return
		}
		b.say("t||")
		if !b.unchanged(p) {
			return
		}
	}
	if table(p.sql) == "" {
		b.say("n")
		return
	}
	b.say(fmt.Sprintf("T|\x01%s|ttttaaoooosstttmff", table(p.sql)+fmt.Sprint(p.shape)))
}

func (b *backend) close(target string) {
	if target[0] == 'S' {
		b.named(target[1:])
		delete(b.stmts, target[1:])
	} else {
		delete(b.portals, target[1:])
	}
	b.say("3")
}

func (b *backend) execute(portal string, limit []string) {
	c := b.portals[portal]
	switch {
	case c == nil:
		b.fail('E', "34000", "portal does not exist")
	case b.status == 'E' && !ends(c.sql):
		b.fail('E', "25P02", aborted)
	case table(c.sql) != "":
		b.fetch(c, strings.Join(limit, "") != "")
	case c.done:
		b.fail('E', "55000", "portal cannot be run")
	default:
		c.done = true
		b.statement('E', c.sql)
	}
}

func (b *backend) fetch(c *cursor, one bool) {
	for ; c.row < 2; c.row++ {
		b.say(fmt.Sprintf("D%s %d %s %d", c.sql, c.shape, c.arg, c.row))
		if one {
			c.row++
			b.say("s")
			return
		}
	}
	b.say("CSELECT|")
}

func (b *backend) query(sql string) {
	b.queued = strings.Split(sql, "; ")
	b.next()
}

// next runs what is left of the Query, up to a COPY.
func (b *backend) next() {
	for len(b.queued) > 0 {
		sql := b.queued[0]
		b.queued = b.queued[1:]
		if b.status == 'E' && !ends(sql) && sql != "" {
			b.fail('Q', "25P02", aborted)
			return
		}
		if t, ok := strings.CutPrefix(sql, "alter "); ok {
			b.shapes[t]++
		}
		if table(sql) != "" {
			b.say("D" + sql)
		}
		if !b.statement('Q', sql) {
			return
		}
	}
	b.ready()
}

// statement runs what is not a select; false: it has failed or goes on.
func (b *backend) statement(how byte, sql string) bool {
	word, arg, _ := strings.Cut(sql, " ")
	switch word {
	case "":
		b.say("I")
		return true
	case "begin", "BEGIN":
		b.status = 'T'
	case "ROLLBACK":
		b.pending, b.status = nil, 'I'
		if arg == "AND CHAIN" {
			b.status = 'T'
		}
		clear(b.portals)
	case "commit", "rollback":
		if b.status = 'I'; word != "commit" {
			b.pending = nil
		}
		b.commit()
		clear(b.portals)
	case "insert", "alter":
		b.pending = append(b.pending, sql)
	case "bad", "fail":
		b.fail(how, "22012", "division by zero")
		return false
	case "copy":
		b.copying, b.pooler.copied = how, true
		b.say("G")
		b.flush()
		return false
	case "EXECUTE":
		b.fail(how, "26000", "prepared statement does not exist")
		return false
	case "deallocate", "discard":
		return b.drop(how, word, arg)
	}
	b.say("C" + strings.ToUpper(word) + "|")
	return true
}

func (b *backend) drop(how byte, word, arg string) bool {
	if b.pooled && (arg == "all" || b.stmts[arg].sql != "") {
		b.t.Errorf("%s %s reached the pooler", word, arg)
	}
	switch _, ok := b.stmts[arg]; {
	case word == "discard" && b.status == 'T':
		b.fail(how, "25001", "DISCARD ALL cannot run inside a transaction block")
		return false
	case arg == "all":
		unnamed, ok := b.stmts[""]
		clear(b.stmts)
		if ok {
			b.stmts[""] = unnamed
		}
	case !ok:
		b.fail(how, "26000", `prepared statement "`+arg+`" does not exist`)
		return false
	default:
		delete(b.stmts, arg)
	}
	tag := strings.ToUpper(word)
	if arg == "all" {
		tag += " ALL"
	}
	b.say("C" + tag + "|")
	return true
}
