package control

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A page comes by the secret of the run in one of two ways, and has it where no log, no history and
// no Referer does: in a header, and in the sessionStorage of its tab.
//
//   - By a code in the fragment of its address, which browsers do not send. It is good once, for two
//     minutes, and only from a connection of our own user: an address may stand in a command line,
//     which everybody on this machine can read. The page takes it out of the address bar first.
//   - After devguard was started again: by proof that it knows the key that runs of one project hand
//     on. It sends no key, but an HMAC over the nonce of the new run and the host that it asks.
//     Somebody else who has taken the port meanwhile can do nothing with that: it proves nothing at
//     another port. The page keeps the key in memory alone, where the next page at that port does
//     not find it.
//
// Cookies would not do: they do not tell ports apart, so that the app would be sent them too.
const (
	codeTime = 2 * time.Minute
	// maxCodes bounds the codes that nobody has used yet; the oldest makes room.
	maxCodes = 8
)

// Kept is what a run keeps for the next one of the project: pages that are open go on with that.
type Kept struct {
	Port uint16 `json:"port"`
	Key  string `json:"key"` // secret
}

// pass lets pages in.
type pass struct {
	token string
	key   string
	nonce string                   // tells this run from others
	mine  func(remote string) bool // whether a connection is our own user's

	mu    sync.Mutex
	codes []code // the oldest first
}

type code struct {
	text  string
	until time.Time
}

func newPass(token, key string, port uint16) *pass {
	if key == "" {
		key = rand.Text()
	}
	return &pass{token: token, key: key, nonce: rand.Text(), mine: func(remote string) bool { return mine(remote, port) }}
}

// issue makes a code that lets one page in.
func (p *pass) issue(now time.Time) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := code{rand.Text(), now.Add(codeTime)}
	p.codes = newestOf(append(p.codes, c), maxCodes)
	return c.text
}

// redeem reports whether a code is good; it is no more then.
func (p *pass) redeem(text string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, c := range p.codes {
		if hmac.Equal([]byte(c.text), []byte(text)) {
			p.codes = append(p.codes[:i:i], p.codes[i+1:]...)
			return now.Before(c.until)
		}
	}
	return false
}

// proof is what a page that asks host sends to show that it knows the key.
func (p *pass) proof(host string) string {
	h := hmac.New(sha256.New, []byte(p.key))
	h.Write([]byte(p.nonce + " " + host))
	return hex.EncodeToString(h.Sum(nil))
}

// Pass is what a page is let in with.
type Pass struct {
	Token string `json:"token"`
	Key   string `json:"key"`
}

// notLetIn tells a page what it may prove.
type notLetIn struct {
	Problem
	Nonce string `json:"nonce"`
}

// letIn answers POST /v1/page/enter. The code, the proof, or the secret of a page that was loaded
// again comes in the header Authorization.
func (p *pass) letIn(w http.ResponseWriter, r *http.Request) {
	way, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	in := false
	switch way {
	case "Bearer":
		in = hmac.Equal([]byte(text), []byte(p.token))
	case "Proof":
		in = hmac.Equal([]byte(text), []byte(p.proof(r.Host)))
	case "Code":
		in = p.mine(r.RemoteAddr) && p.redeem(text, time.Now())
	}
	if !in {
		answer(w, http.StatusUnauthorized, notLetIn{
			Problem{"this page was not opened by devguard, or its address was used before", "press o in the terminal of devguard, or type: devguard status --open"}, p.nonce,
		})
		return
	}
	answer(w, http.StatusOK, Pass{p.token, p.key})
}
