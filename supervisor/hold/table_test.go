package hold

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// step is one thing that happens, and what the table makes of it.
type step struct {
	at   time.Duration // since the step before
	what string
	do   func(t *Table, now time.Time) string
	want string
}

var zero = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func text(acts []Action) string {
	var words []string
	for _, a := range acts {
		switch a := a.(type) {
		case Keep:
			words = append(words, fmt.Sprintf("keep %d", a.Inode))
		case Lengthen:
			words = append(words, fmt.Sprintf("lengthen %d", a.Inode))
		case Renew:
			words = append(words, fmt.Sprintf("renew %d", a.Inode))
		case TakeOver:
			words = append(words, fmt.Sprintf("take over %d", a.Inode))
		case Look:
			verb := "look "
			if a.All {
				verb = "look at all "
			}
			words = append(words, fmt.Sprint(verb, a.Inodes))
		case LetGo:
			verb := "let go"
			if a.Quiet {
				verb = "quietly let go"
			}
			words = append(words, fmt.Sprintf("%s %d: %s", verb, a.Inode, a.Reason))
		case Answer:
			words = append(words, fmt.Sprintf("answer %d: %s", a.Inode, a.Reason))
		case Recover:
			words = append(words, fmt.Sprintf("recover %d", a.Inode))
		case Silence:
			words = append(words, fmt.Sprintf("silence %d", a.Inode))
		case TurnOff:
			words = append(words, "off: "+a.Reason)
		}
	}
	return strings.Join(words, "; ")
}

func place(addr string) Place { return Place{Addr: netip.MustParseAddrPort(addr)} }

// made is a bind: of a socket with that inode, to an address; more changes the rest.
func bind(gen int, inode uint64, addr, want string, more ...func(*Request)) step {
	r := Request{Gen: gen, Inode: inode, Place: place(addr), Options: Options{Protocol: 6}}
	for _, m := range more {
		m(&r)
	}
	return step{what: "bind " + addr, want: want, do: func(t *Table, now time.Time) string {
		verdict, got, acts := t.Bind(now, r)
		out := map[Verdict]string{Continue: "", HandOver: fmt.Sprintf("hand %d", got), Confirm: fmt.Sprintf("confirm %d", got)}[verdict]
		return strings.Trim(text(acts)+"; "+out, "; ")
	}}
}

func open(inodes ...uint64) func(*Request) {
	return func(r *Request) {
		r.Open = map[uint64]bool{}
		for _, i := range inodes {
			r.Open[i] = true
		}
	}
}

func option(set func(*Options)) func(*Request) { return func(r *Request) { set(&r.Options) } }

func fixed(why string) func(*Request) { return func(r *Request) { r.Fixed = why } }

func inNet(net uint64) func(*Request) { return func(r *Request) { r.Place.Net = net } }

func listen(gen int, inode uint64, addr, want string) step {
	return step{what: "listen " + addr, want: want, do: func(t *Table, now time.Time) string {
		verdict, acts := t.Listen(now, gen, inode, place(addr))
		if verdict == Confirm {
			return "confirm; " + text(acts)
		}
		return text(acts)
	}}
}

func on(what string, do func(t *Table, now time.Time) []Action, want string) step {
	return step{what: what, want: want, do: func(t *Table, now time.Time) string { return text(do(t, now)) }}
}

func started(gen int) step {
	return restarted(gen, "")
}
func restarted(gen int, want string) step {
	return on("started", func(t *Table, now time.Time) []Action { return t.Started(now, gen) }, want)
}
func program(name string) step {
	return on("program", func(t *Table, _ time.Time) []Action { t.Program(name); return nil }, "")
}
func becomesReady(gen int, want string) step {
	return on("ready", func(t *Table, now time.Time) []Action { return t.Ready(now, gen) }, want)
}
func notReady(gen int, want string) step {
	return on("not ready", func(t *Table, now time.Time) []Action { return t.NotReady(now, gen) }, want)
}
func exited(gen int, want string) step {
	return on("exited", func(t *Table, now time.Time) []Action { return t.Exited(now, gen) }, want)
}
func stops(gen int, want string) step {
	return on("stopping", func(t *Table, now time.Time) []Action { return t.Stopping(now, gen) }, want)
}
func ended(gen int, want string) step {
	return on("ended", func(t *Table, now time.Time) []Action { return t.Ended(now, gen) }, want)
}
func tick(want string) step {
	return on("tick", func(t *Table, now time.Time) []Action { return t.Tick(now) }, want)
}
func active(want string) step {
	return on("active", func(t *Table, _ time.Time) []Action { return t.Active() }, want)
}
func idle(reason, want string) step { return crashed(0, reason, want) }
func crashed(inARow int, reason, want string) step {
	return on("idle", func(t *Table, now time.Time) []Action { return t.Idle(now, reason, inARow) }, want)
}
func closed(inode uint64, want string) step {
	return on("closed", func(t *Table, _ time.Time) []Action { return t.Closed([]uint64{inode}) }, want)
}

func renewal(from, to uint64) step {
	return on("renewed", func(t *Table, now time.Time) []Action { t.Renewed(now, from, to); return nil }, "")
}

func after(d time.Duration, s step) step { s.at = d; return s }

// served is a generation 1 that has listened on an address by socket 1 and is gone.
func served(addr string, more ...func(*Request)) []step {
	return []step{
		started(1), bind(1, 1, addr, "", more...), listen(1, 1, addr, "keep 1"), becomesReady(1, ""),
		stops(1, "renew 1"), ended(1, "lengthen 1"), started(2),
	}
}

// slow is served by a generation 1 that listens so long after its start.
func slow(addr string, d time.Duration) []step {
	return []step{
		started(1), becomesReady(1, ""), after(d, bind(1, 1, addr, "")), listen(1, 1, addr, "keep 1"),
		stops(1, "renew 1"), ended(1, "lengthen 1"), started(2),
	}
}

// taken goes on with a generation 2 that has taken it and is gone.
func taken(addr string) []step {
	return append(served(addr),
		bind(2, 20, addr, "hand 1"), listen(2, 1, addr, "confirm; lengthen 1"), becomesReady(2, ""),
		stops(2, "renew 1"), ended(2, "lengthen 1"), started(3))
}

const (
	local    = "127.0.0.1:8080"
	debugger = "127.0.0.1:2345"
)

// gives is what letting go of socket 1 says after a generation that has not taken it.
func gives(gen int) string {
	return fmt.Sprintf("let go 1: generation %d ended, and has not taken it", gen)
}

// dialled is why holding is off for an app that dials its own port.
const dialled = "a generation ended without having taken what was held for it, and generation %d, for which nothing was held, is ready"

var v6only = option(func(o *Options) { o.V6Only = true })

func playAll(t *testing.T, rows map[string][]step) {
	t.Helper()
	for name, steps := range rows {
		t.Run(name, func(t *testing.T) { play(t, steps) })
	}
}

// TestTable: a socket goes from one generation to the next.
func TestTable(t *testing.T) {
	playAll(t, map[string][]step{
		"a socket goes from one generation to the next": append(taken(local),
			bind(3, 30, local, "hand 1"), listen(3, 1, local, "confirm; lengthen 1"), becomesReady(3, "")),
		"dual stack, IPv6": append(served("[::]:80"), bind(2, 20, "[::]:80", "hand 1")),
		"two addresses of one port": {
			started(1), bind(1, 1, local, ""), listen(1, 1, local, "keep 1"), bind(1, 2, "[::1]:8080", ""), listen(1, 2, "[::1]:8080", "keep 2"),
			stops(1, "renew 1; renew 2"), ended(1, "lengthen 1; lengthen 2"), started(2),
			bind(2, 20, "[::1]:8080", "hand 2"), bind(2, 21, local, "hand 1"),
		},

		"the answer was lost, and the app calls again": append(served(local),
			bind(2, 20, local, "hand 1"), bind(2, 1, local, "confirm 1"), listen(2, 1, local, "confirm; lengthen 1"), bind(2, 1, local, "")),
		"the call was interrupted before the socket was there": append(served(local),
			bind(2, 20, local, "hand 1"), bind(2, 20, local, "hand 1")),
		"listen twice": append(served(local), bind(2, 20, local, "hand 1"), listen(2, 1, local, "confirm; lengthen 1"), listen(2, 1, local, "")),

		"not held: port 0": {started(1), bind(1, 1, "127.0.0.1:0", ""), listen(1, 1, "127.0.0.1:40000", "")},
		"not held: bound before, or by nobody that was seen": {started(1), listen(1, 1, local, "")},
		"not held: another address than was bound":           {started(1), bind(1, 1, local, ""), listen(1, 1, "127.0.0.1:4000", "")},
		"not held: SO_REUSEPORT": {started(1), bind(1, 1, local, "", option(func(o *Options) { o.ReusePort = true })),
			listen(1, 1, local, "")},
		"not held: bound and never listening": {started(1), bind(1, 1, local, ""), becomesReady(1, ""), stops(1, ""), ended(1, ""), started(2),
			bind(2, 20, local, "")},
		"a bind that failed, and the next address": {started(1), bind(1, 1, local, ""), bind(1, 1, "127.0.0.1:8081", ""),
			listen(1, 1, "127.0.0.1:8081", "keep 1")},
	})
}

// TestInTheWay: what overlaps a held socket has it let go, what does not leaves it alone.
func TestInTheWay(t *testing.T) {
	playAll(t, map[string][]step{
		"in the way: the wildcard after loopback": append(served(local), bind(2, 20, "0.0.0.0:8080", "let go 1: generation 2 binds 0.0.0.0:8080"),
			listen(2, 20, "0.0.0.0:8080", "keep 20")),
		"in the way: dual stack after loopback":    append(served(local), bind(2, 20, "[::]:8080", "let go 1: generation 2 binds [::]:8080")),
		"in the way: loopback after the wildcard":  append(served("0.0.0.0:8080"), bind(2, 20, local, "let go 1: generation 2 binds "+local)),
		"in the way: loopback after dual stack":    append(served("[::]:8080"), bind(2, 20, local, "let go 1: generation 2 binds "+local)),
		"in the way: IPv4 wildcard after the dual": append(served("[::]:8080"), bind(2, 20, "0.0.0.0:8080", "let go 1: generation 2 binds 0.0.0.0:8080")),
		"in the way: dual after the IPv4 wildcard": append(served("0.0.0.0:8080"), bind(2, 20, "[::]:8080", "let go 1: generation 2 binds [::]:8080")),
		"in the way: the IPv4 form in IPv6":        append(served(local), bind(2, 20, "[::ffff:127.0.0.1]:8080", "let go 1: generation 2 binds [::ffff:127.0.0.1]:8080")),
		"beside: IPv4 and IPv6 loopback":           append(served(local), bind(2, 20, "[::1]:8080", "")),
		"beside: IPv4 and an IPv6 wildcard alone":  append(served(local), bind(2, 20, "[::]:8080", "", v6only)),
		"beside: another port":                     append(served(local), bind(2, 20, "127.0.0.1:8081", "")),
		"beside: another network namespace":        append(served(local), bind(2, 20, local, "", inNet(7))),
		"beside: another device": append(served(local, option(func(o *Options) { o.Device = "lo" })),
			bind(2, 20, local, "", option(func(o *Options) { o.Device = "eth0" }))),
	})
}

// TestOtherOptions: a socket is handed only to whom has the same options.
func TestOtherOptions(t *testing.T) {
	playAll(t, map[string][]step{
		"options: V6ONLY": append(served("[::]:80"), bind(2, 20, "[::]:80", "let go 1: generation 2 sets another IPV6_V6ONLY", v6only)),
		"options: REUSEPORT": append(served(local), bind(2, 20, local, "let go 1: generation 2 sets another SO_REUSEPORT",
			option(func(o *Options) { o.ReusePort = true }))),
		"options: MPTCP": append(served(local), bind(2, 20, local, "let go 1: generation 2 sets another SO_PROTOCOL",
			option(func(o *Options) { o.Protocol = 262 }))),
		"options: KEEPALIVE": append(served(local), bind(2, 20, local, "let go 1: generation 2 sets another SO_KEEPALIVE",
			option(func(o *Options) { o.KeepAlive = true }))),
		"options: FREEBIND": append(served(local), bind(2, 20, local, "let go 1: generation 2 sets another IP_FREEBIND",
			option(func(o *Options) { o.FreeBind = true }))),
		"options: TRANSPARENT": append(served(local), bind(2, 20, local, "let go 1: generation 2 sets another IP_TRANSPARENT",
			option(func(o *Options) { o.Transparent = true }))),
		"options: SNDBUF": append(served(local), bind(2, 20, local, "let go 1: generation 2 sets another SO_SNDBUF",
			option(func(o *Options) { o.SendBuffer = 1 }))),
		"options: RCVBUF": append(served(local), bind(2, 20, local, "let go 1: generation 2 sets another SO_RCVBUF",
			option(func(o *Options) { o.ReceiveBuffer = 1 }))),
		"options: BINDTODEVICE": append(served(local), bind(2, 20, local, "let go 1: generation 2 sets another SO_BINDTODEVICE",
			option(func(o *Options) { o.Device = "lo" }))),
		"the descriptor cannot be replaced": append(served(local), bind(2, 20, local, "let go 1: it cannot be handed over: it is in an epoll set",
			fixed("it is in an epoll set"))),
		"handing over failed": append(served(local), bind(2, 20, local, "hand 1"),
			on("failed", func(t *Table, _ time.Time) []Action { return t.Broken(1, "it cannot be handed over: EBADF") }, "let go 1: it cannot be handed over: EBADF"),
			bind(2, 20, local, "")),
	})
}

// TestOpenInTheTree: what a process of the tree has open is neither handed over nor let go.
func TestOpenInTheTree(t *testing.T) {
	playAll(t, map[string][]step{
		"two servers that fall back to the next port": append(served(local), bind(2, 20, local, "hand 1"), listen(2, 1, local, "confirm; lengthen 1"),
			bind(2, 21, local, "", open(1)), bind(2, 21, "127.0.0.1:8081", ""), listen(2, 21, "127.0.0.1:8081", "keep 21")),
		"the same address twice in the first generation": {started(1), bind(1, 1, local, ""), listen(1, 1, local, "keep 1"), bind(1, 2, local, "", open(1))},
		"an overlapping one while it serves":             {started(1), bind(1, 1, local, ""), listen(1, 1, local, "keep 1"), bind(1, 2, "0.0.0.0:8080", "", open(1))},
		"closed and bound again": {started(1), bind(1, 1, local, ""), listen(1, 1, local, "keep 1"),
			bind(1, 2, local, "hand 1"), listen(1, 1, local, "confirm; lengthen 1")},
		"bound again while it stops": {started(1), bind(1, 1, local, ""), listen(1, 1, local, "keep 1"), becomesReady(1, ""), stops(1, "renew 1"),
			bind(1, 2, local, "lengthen 1; hand 1")},
		"another generation calls": append(served(local), bind(1, 20, local, ""), listen(1, 1, local, "")),
	})
}

// TestNotTaken: it ended by itself, or was not ready in time.
func TestNotTaken(t *testing.T) {
	playAll(t, map[string][]step{
		"it dials its own port first": append(served(local), exited(2, gives(2)), stops(2, ""), ended(2, ""),
			started(3), bind(3, 30, local, ""), listen(3, 30, local, "keep 30"),
			becomesReady(3, "let go 30: "+fmt.Sprintf(dialled, 3)+"; off: "+fmt.Sprintf(dialled, 3)),
			bind(3, 31, "127.0.0.1:99", ""), stops(3, ""), ended(3, ""), started(4), bind(4, 40, local, "")),
		"it dials its own port, and is found alive meanwhile": append(served(local), becomesReady(2, ""), exited(2, gives(2)), ended(2, ""),
			started(3), bind(3, 30, local, ""), becomesReady(3, "off: "+fmt.Sprintf(dialled, 3))),
		"it dials its own port first, below a debugger that takes its port": {
			on("debugger", func(t *Table, _ time.Time) []Action { t.Debugger(2345); return nil }, ""),
			started(1), bind(1, 1, debugger, ""), listen(1, 1, debugger, "keep 1"), bind(1, 2, local, ""), listen(1, 2, local, "keep 2"), becomesReady(1, ""),
			stops(1, "lengthen 1; renew 2"), ended(1, "lengthen 1; lengthen 2"),
			started(2), bind(2, 20, debugger, "hand 1"), listen(2, 1, debugger, "confirm; lengthen 1"),
			exited(2, "let go 2: generation 2 ended, and has not taken it; lengthen 1"), stops(2, ""), ended(2, "lengthen 1"),
			started(3), bind(3, 30, debugger, "hand 1"), listen(3, 1, debugger, "confirm; lengthen 1"), bind(3, 31, local, ""), listen(3, 31, local, "keep 31"),
			becomesReady(3, "let go 1: "+fmt.Sprintf(dialled, 3)+"; let go 31: "+fmt.Sprintf(dialled, 3)+"; off: "+fmt.Sprintf(dialled, 3)),
		},
		"a start that fails for another reason": append(served(local), exited(2, gives(2)), stops(2, ""), ended(2, ""),
			started(3), exited(3, ""), stops(3, ""), ended(3, ""), // with nothing held it fails as well
			started(4), bind(4, 40, local, ""), listen(4, 40, local, "keep 40"), becomesReady(4, "")),
		"a mistake in the first edit, and its repair": append(append([]step{program("/1/app")}, served(local)...), program("/2/app"),
			exited(2, gives(2)), stops(2, ""), ended(2, ""), program("/3/app"),
			started(3), bind(3, 30, local, ""), listen(3, 30, local, "keep 30"), becomesReady(3, ""), stops(3, "renew 30"), ended(3, "lengthen 30"),
			started(4), bind(4, 40, local, "hand 30")),
		"it dials its own port first, is edited, and does so again": append(served(local), program("/2/app"), exited(2, gives(2)), ended(2, ""),
			program("/3/app"), started(3), bind(3, 30, local, ""), listen(3, 30, local, "keep 30"), becomesReady(3, ""), stops(3, "renew 30"), ended(3, "lengthen 30"),
			program("/4/app"), started(4), exited(4, "let go 30: generation 4 ended, and has not taken it"), ended(4, ""),
			started(5), becomesReady(5, "off: "+fmt.Sprintf(dialled, 5))),
		"a mistake after generations that took it": append(taken(local), exited(3, gives(3)), ended(3, ""),
			started(4), bind(4, 40, local, ""), listen(4, 40, local, "keep 40"), becomesReady(4, "")),
		"an app that has begun to dial its own port": append(taken(local), exited(3, gives(3)), ended(3, ""),
			started(4), bind(4, 40, local, ""), listen(4, 40, local, "keep 40"), becomesReady(4, ""), stops(4, "renew 40"), ended(4, "lengthen 40"),
			started(5), exited(5, "let go 40: generation 5 ended, and has not taken it"), ended(5, ""),
			started(6), becomesReady(6, "off: "+fmt.Sprintf(dialled, 6))),
		"stopped by an edit before it could": append(served(local), stops(2, ""), ended(2, ""), started(3), bind(3, 30, local, "hand 1")),
		"it took it and crashed": append(served(local), bind(2, 20, local, "hand 1"), listen(2, 1, local, "confirm; lengthen 1"),
			exited(2, "lengthen 1"), stops(2, ""), ended(2, "lengthen 1"), started(3), bind(3, 30, local, "hand 1")),
		"it took it and crashed before listen": append(served(local), bind(2, 20, local, "hand 1"),
			exited(2, ""), ended(2, ""), started(3), bind(3, 30, local, "hand 1")),
		"not ready in time": append(served(local), notReady(2, "let go 1: generation 2 was not ready in time, and has not taken it"),
			stops(2, ""), ended(2, ""), started(3), becomesReady(3, "off: "+fmt.Sprintf(dialled, 3))),
		"it waits until its port is free": append(served(local), notReady(2, "let go 1: generation 2 was not ready in time, and has not taken it"),
			bind(2, 20, local, "off: generation 2 bound 127.0.0.1:8080 only when devguard had let go of it")),
	})
}

// TestReadyAndNotTaken: after five seconds it is let go, later where the app was seen to take longer.
func TestReadyAndNotTaken(t *testing.T) {
	playAll(t, map[string][]step{
		"ready and not taken": append(served(local), becomesReady(2, ""), after(untaken-1, tick("")),
			after(1, tick("let go 1: generation 2 is ready for 5s, and has not taken it")), tick("")),
		"ready and taken late": append(served(local), becomesReady(2, ""), after(untaken-1, bind(2, 20, local, "hand 1")), listen(2, 1, local, "confirm; lengthen 1"),
			after(1, tick("look [1]"))),
		"ready, and takes it once it is free": append(served(local), becomesReady(2, ""),
			after(untaken, tick("let go 1: generation 2 is ready for 5s, and has not taken it")),
			bind(2, 20, local, "off: generation 2 bound 127.0.0.1:8080 only when devguard had let go of it")),
		"ready, and ends by itself": append(served(local), becomesReady(2, ""), exited(2, gives(2))),
		"it takes long to start": append(slow(local, 10*time.Second), becomesReady(2, ""), after(20*time.Second-1, tick("")),
			after(1, tick("let go 1: generation 2 is ready for 20s, and has not taken it"))),
		"it takes longer than anybody waits": append(slow(local, 50*time.Second), becomesReady(2, ""), after(downLimit-1, tick("")),
			after(1, tick("let go 1: generation 2 is ready for 1m0s, and has not taken it"))),
		"a second socket that takes long": {
			started(1), after(time.Second, bind(1, 1, local, "")), listen(1, 1, local, "keep 1"), becomesReady(1, ""),
			after(7*time.Second, bind(1, 2, "127.0.0.1:9", "")), listen(1, 2, "127.0.0.1:9", "keep 2"), stops(1, "renew 2; renew 1"), ended(1, "lengthen 2; lengthen 1"),
			started(2), after(time.Second, bind(2, 20, local, "hand 1")), listen(2, 1, local, "confirm; lengthen 1"), becomesReady(2, ""),
			after(untaken, tick("look [1]")), after(2*time.Second, bind(2, 21, "127.0.0.1:9", "hand 2")), listen(2, 2, "127.0.0.1:9", "confirm; lengthen 2"),
		},
		"two that are not taken, one of which took long before": {
			started(1), bind(1, 1, local, ""), listen(1, 1, local, "keep 1"), becomesReady(1, ""),
			after(8*time.Second, bind(1, 2, "127.0.0.1:9", "")), listen(1, 2, "127.0.0.1:9", "keep 2"), stops(1, "renew 2; renew 1"), ended(1, "lengthen 2; lengthen 1"),
			started(2), becomesReady(2, ""), after(untaken, tick("let go 1: generation 2 is ready for 5s, and has not taken it")),
			after(11*time.Second-1, tick("")), after(1, tick("let go 2: generation 2 is ready for 16s, and has not taken it")),
		},
		"one that is opened on demand, a minute after it was let go": append(slow("127.0.0.1:9", time.Hour), becomesReady(2, ""),
			after(untaken, tick("let go 1: generation 2 is ready for 5s, and has not taken it")),
			after(time.Minute, bind(2, 20, "127.0.0.1:9", "")), listen(2, 20, "127.0.0.1:9", "keep 20")),
		"it listens an hour after its start": append(slow(local, time.Hour), becomesReady(2, ""),
			after(untaken, tick("let go 1: generation 2 is ready for 5s, and has not taken it"))),
	})
}

// TestRenewed: new connections wait on a socket of their own while a generation stops.
func TestRenewed(t *testing.T) {
	stopping := func(more ...step) []step {
		return append([]step{started(1), bind(1, 1, local, ""), listen(1, 1, local, "keep 1"), becomesReady(1, ""), stops(1, "renew 1"), renewal(1, 2)}, more...)
	}
	playAll(t, map[string][]step{
		"it goes to the next generation": stopping(after(lengthenEvery, tick("")), exited(1, ""), ended(1, "take over 2"), started(2),
			bind(2, 20, local, "hand 2"), listen(2, 2, local, "confirm; lengthen 2"), becomesReady(2, ""), stops(2, "renew 2"), renewal(2, 3),
			ended(2, "take over 3"), started(3), bind(3, 30, local, "hand 3")),
		"the queue is shared when it is not to be had": {started(1), bind(1, 1, local, ""), listen(1, 1, local, "keep 1"), stops(1, "renew 1"),
			on("not renewed", func(t *Table, _ time.Time) []Action { return t.NotRenewed(1) }, "lengthen 1"),
			after(lengthenEvery, tick("lengthen 1")), ended(1, "lengthen 1"), started(2), bind(2, 20, local, "hand 1")},
		"bound again while the first is open":     stopping(bind(1, 21, local, "", open(1))),
		"bound again by who has closed it":        stopping(bind(1, 21, local, "take over 2; hand 2"), listen(1, 2, local, "confirm; lengthen 2"), ended(1, "lengthen 2")),
		"another address while the first is open": stopping(bind(1, 21, "0.0.0.0:8080", "", open(1)), ended(1, "take over 2")),
		"after a crash there is nobody to see them": {started(1), bind(1, 1, local, ""), listen(1, 1, local, "keep 1"), exited(1, "lengthen 1"), stops(1, ""),
			ended(1, "lengthen 1")},
		"let go meanwhile": stopping(on("released", func(t *Table, _ time.Time) []Action { return t.Release("it is switched off") }, "let go 2: it is switched off"),
			ended(1, "")),
	})
}

// TestManySockets: those beyond a bound are left to the kernel.
func TestManySockets(t *testing.T) {
	steps := []step{started(1)}
	for i := range uint64(maxKept + 2) {
		addr, want := fmt.Sprintf("127.0.0.1:%d", 2000+i), fmt.Sprintf("keep %d", i+1)
		if i >= maxKept {
			want = ""
		}
		steps = append(steps, bind(1, i+1, addr, ""), listen(1, i+1, addr, want))
	}
	play(t, steps)
}

// TestDown: nothing is held for long when nobody is coming.
func TestDown(t *testing.T) {
	playAll(t, map[string][]step{
		"down": append(served(local)[:6], after(downLimit, tick("")), idle("it crashed", "answer 1: it crashed"), idle("it crashed", ""),
			after(downLimit-1, tick("")), idle("the build failed", "answer 1: the build failed"),
			after(1, tick("let go 1: the app is down for 1m0s, and nothing was changed"))),
		"down, with edits": append(served(local)[:6], idle("it crashed", "answer 1: it crashed"), after(downLimit-1, active("silence 1")),
			after(downLimit, tick("")), idle("it crashed", "answer 1: it crashed"), after(downLimit-1, tick("")), restarted(2, "silence 1"), idle("too late", ""),
			bind(2, 20, local, "hand 1")),
	})
}

// TestCrashLoop: tries without a change in between are one time that the app is down.
func TestCrashLoop(t *testing.T) {
	// crash is a generation that takes socket 1 at once and crashes after a while.
	crash := func(gen int, started string) []step {
		return []step{restarted(gen, started), bind(gen, uint64(10*gen), local, "hand 1"), listen(gen, 1, local, "confirm; lengthen 1"),
			after(time.Second, exited(gen, "lengthen 1")), stops(gen, ""), ended(gen, "lengthen 1")}
	}
	const why, again = "it crashed", "the app has crashed again and again for 1m0s, and nothing was changed"
	// 2, 3 and 4 crash; the minute counts from the second crash.
	twice := slices.Concat(served(local)[:6], crash(2, ""), crash(3, ""), []step{crashed(2, why, "answer 1: it crashed")},
		[]step{after(30*time.Second, active("silence 1"))}, crash(4, ""), []step{crashed(3, why, "answer 1: it crashed")})
	playAll(t, map[string][]step{
		"the minute goes on": slices.Concat(twice, []step{after(29*time.Second-1, tick("")), after(1, tick("let go 1: "+again))}),
		"once over it stays so, and is said once": slices.Concat(twice, []step{
			after(time.Minute, tick("let go 1: "+again)),
			started(5), bind(5, 50, local, ""), listen(5, 50, local, "keep 50"), exited(5, "lengthen 50"), ended(5, "lengthen 50"),
			crashed(4, why, "answer 50: it crashed"), tick("quietly let go 50: " + again),
		}),
		"a change, or a generation that has lived, begins another": slices.Concat(twice, []step{active("silence 1")}, crash(5, ""), crash(6, ""),
			[]step{crashed(2, why, "answer 1: it crashed"), after(time.Minute-1, tick("")), after(1, tick("let go 1: "+again))}),
		"a change that does not compile": slices.Concat(twice, []step{active("silence 1"), after(20*time.Second, idle("the build failed", "answer 1: the build failed")),
			after(time.Minute-1, tick("")), after(1, tick("let go 1: the app is down for 1m0s, and nothing was changed"))}),
	})
}

// TestWhileItRuns: a socket that the app has closed is let go when clients wait.
func TestWhileItRuns(t *testing.T) {
	playAll(t, map[string][]step{
		"closed while it runs": {started(1), bind(1, 1, local, ""), listen(1, 1, local, "keep 1"), becomesReady(1, ""), after(lookEvery, tick("look [1]")),
			closed(1, ""), after(lookEvery, tick("look [1]")), closed(1, "let go 1: generation 1 has closed it"), tick("")},
		"taken and closed without a listen": append(served(local), bind(2, 20, local, "hand 1"), becomesReady(2, ""), after(lookEvery, tick("look [1]")),
			closed(1, ""), after(lookEvery, tick("look [1]")), closed(1, "let go 1: generation 2 has closed it")),
		"closed for a moment": {started(1), bind(1, 1, local, ""), listen(1, 1, local, "keep 1"), becomesReady(1, ""), closed(1, ""), closed(9, ""), closed(1, "")},
		"closed, but it stops": {started(1), bind(1, 1, local, ""), listen(1, 1, local, "keep 1"), becomesReady(1, ""), after(lookEvery, tick("look [1]")),
			stops(1, "renew 1"), closed(1, "")},
		"not ready, and closed": {started(1), bind(1, 1, local, ""), listen(1, 1, local, "keep 1"), notReady(1, ""), after(lookEvery, tick("look [1]")),
			closed(1, ""), after(lookEvery, tick("look [1]")), closed(1, "let go 1: generation 1 has closed it")},
		"closed, and no client waits": slices.Concat([]step{started(1), bind(1, 1, local, ""), listen(1, 1, local, "keep 1"), becomesReady(1, "")},
			slices.Repeat([]step{after(lookEvery, tick("look [1]"))}, allEvery-1), []step{
				after(lookEvery, tick("look at all [1]")), closed(1, ""),
				after(lookEvery, tick("look at all [1]")), closed(1, "let go 1: generation 1 has closed it"), tick("")}),
		"all are there": slices.Concat([]step{started(1), bind(1, 1, local, ""), listen(1, 1, local, "keep 1"), notReady(1, "")},
			slices.Repeat(slices.Concat(slices.Repeat([]step{after(lookEvery, tick("look [1]"))}, allEvery-1), []step{after(lookEvery, tick("look at all [1]"))}), 3)),
		"shut down while it stops": {started(1), bind(1, 1, local, ""), listen(1, 1, local, "keep 1"), becomesReady(1, ""), stops(1, "renew 1"),
			after(lengthenEvery, tick("lengthen 1")), ended(1, "lengthen 1")},
	})
}

// TestTheEnd: failures.
func TestTheEnd(t *testing.T) {
	playAll(t, map[string][]step{
		"something failed": append(served(local), on("failed", func(t *Table, _ time.Time) []Action { return t.Failed("EPERM", "") }, "let go 1: EPERM; off: EPERM"),
			bind(2, 20, local, ""), on("again", func(t *Table, _ time.Time) []Action { return t.Failed("EPERM", "") }, ""), exited(2, ""), ended(2, ""), started(3)),
		"what keeps them was killed": append(served(local), on("lost", func(t *Table, _ time.Time) []Action { return t.Lost("killed") }, "let go 1: killed"),
			bind(2, 20, local, ""), listen(2, 20, local, "keep 20")),
		"what keeps them was killed while one is taken": append(served(local), bind(2, 2, "127.0.0.1:9", ""), listen(2, 2, "127.0.0.1:9", "keep 2"),
			on("lost", func(t *Table, _ time.Time) []Action { return t.Lost("killed") }, "let go 1: killed; recover 2"),
			stops(2, "renew 2"), ended(2, "lengthen 2"), started(3), bind(3, 30, "127.0.0.1:9", "hand 2")),
		"and nobody has it any more": append(served(local), bind(2, 20, local, "hand 1"), listen(2, 1, local, "confirm; lengthen 1"),
			on("lost", func(t *Table, _ time.Time) []Action { return t.Lost("killed") }, "recover 1"),
			on("not recovered", func(t *Table, _ time.Time) []Action { return t.Broken(1, "killed") }, "let go 1: killed"), exited(2, "")),
		"devguard ends": {started(1), bind(1, 1, local, ""), listen(1, 1, local, "keep 1"), becomesReady(1, ""),
			on("ends", func(t *Table, _ time.Time) []Action { return t.Ends() }, "quietly let go 1: devguard ends"),
			bind(1, 2, local, ""), listen(1, 2, local, ""), stops(1, ""), exited(1, ""), ended(1, "")},
	})
}

// TestManyBinds: what an app binds again and again, because somebody else has the place, is forgotten for
// what it binds then.
func TestManyBinds(t *testing.T) {
	steps := []step{started(1), bind(1, 1, "127.0.0.1:9", "")}
	for i := range uint64(maxBound + 9) {
		steps = append(steps, bind(1, i+2, local, ""))
	}
	const last = maxBound + 10
	play(t, append(steps, listen(1, last, local, fmt.Sprintf("keep %d", last)), listen(1, 1, "127.0.0.1:9", "")))
}

func play(t *testing.T, steps []step) {
	t.Helper()
	table, now := new(Table), zero
	for i, s := range steps {
		now = now.Add(s.at)
		if got := s.do(table, now); got != s.want {
			t.Fatalf("step %d, %s:\n got %q\nwant %q", i, s.what, got, s.want)
		}
	}
}

func TestStartedTwiceIsABug(t *testing.T) {
	defer func() {
		if p := fmt.Sprint(recover()); !strings.Contains(p, "BUG: generation 2 starts while generation 1 is there") {
			t.Errorf("panic %q", p)
		}
	}()
	play(t, []step{started(1), started(2)})
}

func TestAnswers(t *testing.T) {
	for at, row := range map[string]struct{ yes, no []string }{
		"127.0.0.1:80": {[]string{"127.0.0.1:80", "[::ffff:127.0.0.1]:80"}, []string{"127.0.0.1:81", "127.0.0.2:80", "[::1]:80"}},
		"0.0.0.0:80":   {[]string{"127.0.0.1:80", "10.0.0.1:80", "0.0.0.0:80"}, []string{"[::1]:80", "127.0.0.1:81"}},
		"[::1]:80":     {[]string{"[::1]:80"}, []string{"127.0.0.1:80", "[::2]:80"}},
		"[::]:80":      {[]string{"[::1]:80", "127.0.0.1:80"}, []string{"[::1]:81"}},
	} {
		k := Kept{Place: place(at)}
		for _, addr := range row.yes {
			if !k.Answers(netip.MustParseAddrPort(addr)) {
				t.Errorf("%s does not answer at %s", at, addr)
			}
		}
		for _, addr := range row.no {
			if k.Answers(netip.MustParseAddrPort(addr)) {
				t.Errorf("%s answers at %s", at, addr)
			}
		}
		if !k.Answers(netip.AddrPortFrom(netip.Addr{}, 80)) || k.Answers(netip.AddrPortFrom(netip.Addr{}, 81)) {
			t.Errorf("%s: any address", at)
		}
	}
	alone := Kept{Place: place("[::]:80"), Options: Options{V6Only: true}}
	if alone.Answers(netip.MustParseAddrPort("127.0.0.1:80")) || !alone.Answers(netip.MustParseAddrPort("[::1]:80")) {
		t.Error("IPV6_V6ONLY is not looked at")
	}
}

func TestSnapshot(t *testing.T) {
	table, now := new(Table), zero
	for _, s := range append(served(local), bind(2, 21, "127.0.0.1:9", ""), listen(2, 21, "127.0.0.1:9", "keep 21")) {
		s.do(table, now)
	}
	want := []Status{
		{Place: place("127.0.0.1:9"), Kind: PlaceListening, Gen: 2},
		{Place: place(local), Kind: PlaceHeld, Since: zero},
	}
	if got := table.Snapshot(); !slices.Equal(got, want) || fmt.Sprint(got) != "[listening by generation 2 held since 12:00:00]" {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	for _, k := range table.Kept() {
		if taken := k.Place != place(local); k.Taken != taken {
			t.Errorf("%v is taken: %v", k.Place, k.Taken)
		}
	}
	if n := len(table.Kept()); n != 2 {
		t.Errorf("%d are kept", n)
	}
	table.Exited(now, 2)
	last := table.Snapshot()[1]
	if last != (Status{Place: place(local), Kind: PlaceLetGo, Reason: "generation 2 ended, and has not taken it"}) ||
		last.String() != "let go: generation 2 ended, and has not taken it" {
		t.Errorf("after letting go: %v", last)
	}
}
