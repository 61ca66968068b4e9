package guard

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/devguard/devguard/dbguard/dsn"
)

// registry has the upstreams that the environment has named so far.
type registry struct {
	shared shared

	mu   sync.Mutex
	byID map[dsn.Identity]*upstream
}

func newRegistry(s shared) *registry {
	return &registry{shared: s, byID: map[dsn.Identity]*upstream{}}
}

// learn returns the upstream of id, which is reached as the environment says now.
func (r *registry) learn(id dsn.Identity, now access) *upstream {
	r.mu.Lock()
	defer r.mu.Unlock()
	u := r.byID[id]
	if u == nil {
		u = newUpstream(id, now, r.shared)
		r.byID[id] = u
		return u
	}
	u.learn(now)
	return u
}

// all returns the upstreams, in a stable order.
func (r *registry) all() []*upstream {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(maps.Values(r.byID), func(a, b *upstream) int { return strings.Compare(a.name, b.name) })
}

// usedUntil returns those that a generation up to gen was given, and that were not
// drained since.
func (r *registry) usedUntil(gen int) []*upstream {
	return slices.DeleteFunc(r.all(), func(u *upstream) bool { return !u.usedUntil(gen) })
}

// siblings returns the databases and roles that other upstreams of the same server
// answer for.
func (r *registry) siblings(u *upstream) (list [][2]string) {
	for _, other := range r.all() {
		if other != u && other.id.Server == u.id.Server {
			list = append(list, [2]string{other.id.Database, other.id.User})
		}
	}
	return list
}

// takeChecks reports whether every server of a list is known to take connectionCheck.
// PGOPTIONS reach them all, and a pooler may refuse the login for it: the app must
// never be worse off.
func (r *registry) takeChecks(list []*upstream) bool {
	return !slices.ContainsFunc(list, func(u *upstream) bool { return !r.verdictOn(u.id.Server).checks })
}

// verdictOn returns what is known of a server, from any upstream of it: what it
// is does not depend on the database.
func (r *registry) verdictOn(server string) verdict {
	for _, u := range r.all() {
		if v, known := u.prober.result(); known && u.id.Server == server && v.kind != unknown {
			return v
		}
	}
	return verdict{}
}
