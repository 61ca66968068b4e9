package login

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"sync"
)

// cancelKeys knows what clients were given as BackendKeyData: which CancelRequest
// means which session. The zero value is ready, and safe for concurrent use.
type cancelKeys struct {
	mu       sync.Mutex
	sessions map[uint32][]*cancelKey // by process id; those of several servers may be equal
}

// cancelKey is the secret of one session.
type cancelKey struct {
	secret []byte
	cancel func(context.Context)
}

// add makes a secret of n bytes (Client.keySize) for the session that its client
// knows as pid. A CancelRequest with both calls cancel, possibly several at once,
// until remove is called; a call that is under way is not waited for.
func (k *cancelKeys) add(pid uint32, n int, cancel func(context.Context)) (secret []byte, remove func()) {
	one := &cancelKey{make([]byte, n), cancel}
	_, _ = rand.Read(one.secret) // never fails: crypto/rand ends the program instead
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sessions == nil {
		k.sessions = map[uint32][]*cancelKey{}
	}
	k.sessions[pid] = append(k.sessions[pid], one)
	return one.secret, func() { k.remove(pid, one) }
}

func (k *cancelKeys) remove(pid uint32, one *cancelKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var rest []*cancelKey
	for _, other := range k.sessions[pid] {
		if other != one {
			rest = append(rest, other)
		}
	}
	if k.sessions[pid] = rest; len(rest) == 0 {
		delete(k.sessions, pid)
	}
}

// request does what a CancelRequest asks for. One of a session that has ended, or
// never was, does nothing: a server does not answer these either.
func (k *cancelKeys) request(ctx context.Context, pid uint32, secret []byte) {
	if cancel := k.find(pid, secret); cancel != nil {
		cancel(ctx)
	}
}

func (k *cancelKeys) find(pid uint32, secret []byte) func(context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var found func(context.Context)
	for _, one := range k.sessions[pid] {
		if subtle.ConstantTimeCompare(one.secret, secret) == 1 {
			found = one.cancel
		}
	}
	return found
}

// NewPID returns a process id of ours, for a session that has no server process
// of its own. It is positive as an int32, which is what drivers take it for.
func NewPID() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:])
	return binary.BigEndian.Uint32(b[:])>>1 | 1
}
