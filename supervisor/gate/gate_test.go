package gate

import (
	"testing"
	"time"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return epoch.Add(d) }

const hold = 10 * time.Second

// TestPhases: what becomes of a request that arrives in each phase.
func TestPhases(t *testing.T) {
	wait := Wait{at(hold)}
	for _, c := range []struct {
		name string
		past func(*Gate)
		want Verdict
	}{
		{"before the first start", func(*Gate) {}, wait},
		{"nothing to start", func(g *Gate) { g.Idle("the build failed") }, Fail{Down, "the build failed"}},
		{"nothing to start, for another reason", func(g *Gate) { g.Idle("a"); g.Idle("b") }, Fail{Down, "b"}},
		{"an edit came", func(g *Gate) { g.Idle("the build failed"); g.Active() }, wait},
		{"started", func(g *Gate) { g.Started(1) }, wait},
		{"started after nothing", func(g *Gate) { g.Idle("x"); g.Started(1) }, wait},
		{"ready", func(g *Gate) { g.Started(1); g.Ready(1) }, Send{1}},
		{"not ready in time", func(g *Gate) { g.Started(1); g.NotReady(1, "404") }, Send{1}},
		{"ready later", func(g *Gate) { g.Started(1); g.NotReady(1, "404"); g.Ready(1) }, Send{1}},
		{"being stopped", func(g *Gate) { g.Started(1); g.Ready(1); g.Stopping(1) }, wait},
		{"ready while being stopped", func(g *Gate) { g.Started(1); g.Stopping(1); g.Ready(1); g.NotReady(1, "x") }, wait},
		{"stopped", func(g *Gate) { g.Started(1); g.Ready(1); g.Stopping(1); g.Ended(1) }, wait},
		{"the next one starts", func(g *Gate) { g.Started(1); g.Ready(1); g.Stopping(1); g.Ended(1); g.Started(2) }, wait},
		{"late news of the one before", func(g *Gate) {
			g.Started(1)
			g.Stopping(1)
			g.Ended(1)
			g.Started(2)
			g.Ready(1)
			g.NotReady(1, "x")
			g.Exited(1)
			g.Stopping(1)
			g.Ended(1)
		}, wait},
		{"the next one is ready", func(g *Gate) { g.Started(1); g.Stopping(1); g.Ended(1); g.Started(2); g.Ready(2) }, Send{2}},
		{"crashed", func(g *Gate) { g.Started(1); g.Ready(1); g.Exited(1) }, wait},
		{"crashed, and its tree is ended", func(g *Gate) { g.Started(1); g.Ready(1); g.Exited(1); g.Stopping(1); g.Ended(1) }, wait},
		{"crashed for good", func(g *Gate) { g.Started(1); g.Ready(1); g.Exited(1); g.Idle("it crashed") }, Fail{Down, "it crashed"}},
		{"crashed, and started again later", func(g *Gate) { g.Started(1); g.Exited(1); g.Crashed("x", 1) }, wait},
		{"crashed again", func(g *Gate) { g.Started(2); g.Exited(2); g.Crashed("x", 2) }, Fail{Crashed, "x"}},
		{"started after it crashed again", func(g *Gate) { g.Crashed("x", 2); g.Active(); g.Started(3) }, wait},
		{"started after a crash", func(g *Gate) { g.Crashed("x", 1); g.Started(2); g.Ready(2) }, Send{2}},
		{"a crash of the one before", func(g *Gate) { g.Started(2); g.Ready(2); g.Crashed("x", 1) }, Send{2}},
		{"crashed, until nothing starts it", func(g *Gate) { g.Crashed("x", 1); g.Idle("y") }, Fail{Down, "y"}},
		{"idle while it runs", func(g *Gate) { g.Started(1); g.Ready(1); g.Idle("x") }, Send{1}},
		{"devguard ends", func(g *Gate) { g.Started(1); g.Ready(1); g.Close() }, Fail{Cause: Closing}},
		{"nothing brings it back then", func(g *Gate) { g.Close(); g.Started(2); g.Ready(2); g.Idle("x"); g.Active() }, Fail{Cause: Closing}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := New(Options{Hold: hold})
			c.past(g)
			if _, got := g.Arrive(epoch, Request{}); got != c.want {
				t.Errorf("got %#v, want %#v", got, c.want)
			}
		})
	}
}

// TestPageOfACrash: a page does not wait for an app that crashes again and again; what arrived before is told, too.
func TestPageOfACrash(t *testing.T) {
	crashed := Fail{Crashed, "exit status 2"}
	g := New(Options{Hold: hold})
	g.Started(1)
	early, v := g.Arrive(epoch, Request{Page: true, Reads: true})
	if v != (Wait{at(hold)}) {
		t.Errorf("before the crash: %#v", v)
	}
	g.Exited(1)
	g.Crashed("exit status 2", 1)
	if v := g.Ask(early, epoch); v != crashed {
		t.Errorf("after it: %#v", v)
	}
	if _, v := g.Arrive(epoch, Request{Page: true, Reads: true}); v != crashed {
		t.Errorf("later: %#v", v)
	}
	g.Active()
	if _, v := g.Arrive(epoch, Request{Page: true, Reads: true}); v != (Wait{at(hold)}) {
		t.Errorf("while what may mend it is built: %#v", v)
	}
}

// TestRequestOfASecondCrash: who waits after the first crash is told of the second one in a row.
func TestRequestOfASecondCrash(t *testing.T) {
	g := New(Options{Hold: hold})
	g.Started(1)
	g.Exited(1)
	g.Crashed("exit status 2", 1)
	id, v := g.Arrive(epoch, Request{})
	if v != (Wait{at(hold)}) {
		t.Errorf("after the first: %#v", v)
	}
	g.Active()
	g.Started(2)
	g.Exited(2)
	if v := g.Ask(id, epoch); v != (Wait{at(hold)}) {
		t.Errorf("before it is known what follows: %#v", v)
	}
	g.Crashed("exit status 2", 2)
	if v := g.Ask(id, epoch); v != (Fail{Crashed, "exit status 2"}) {
		t.Errorf("after the second: %#v", v)
	}
}

func ready(gen int) *Gate {
	g := New(Options{Hold: hold})
	g.Started(gen)
	g.Ready(gen)
	return g
}

func want(t *testing.T, got, want Verdict) {
	t.Helper()
	if got != want {
		t.Fatalf("got %#v, want %#v", got, want)
	}
}

func TestWaitEnds(t *testing.T) {
	g := New(Options{Hold: hold})
	id, v := g.Arrive(epoch, Request{})
	want(t, v, Wait{at(hold)})
	want(t, g.Ask(id, at(hold-1)), Wait{at(hold)})
	want(t, g.Ask(id, at(hold)), Fail{Cause: Held})
}

// TestHoldIsSinceArrival: trying and waiting together take no longer than hold.
func TestHoldIsSinceArrival(t *testing.T) {
	g := ready(1)
	id, _ := g.Arrive(epoch, Request{})
	g.Exited(1)
	want(t, g.Unsent(id, at(3*time.Second)), Wait{at(hold)})
	want(t, g.Ask(id, at(hold)), Fail{Cause: Held})
}

func TestRefusedIsTriedAgain(t *testing.T) {
	g := ready(1)
	id, v := g.Arrive(epoch, Request{})
	want(t, v, Send{1})
	want(t, g.Unsent(id, at(0)), Wait{at(retryEvery)})
	want(t, g.Ask(id, at(retryEvery/2)), Wait{at(retryEvery)})
	want(t, g.Ask(id, at(retryEvery)), Send{1})
	want(t, g.Unsent(id, at(retryFor-retryEvery)), Wait{at(retryFor)})
	want(t, g.Ask(id, at(retryFor)), Send{1})
	want(t, g.Unsent(id, at(retryFor)), Fail{Cause: Refused})
}

// TestRefusedByOneGoesToTheNext: what one generation has refused is not held against the next.
func TestRefusedByOneGoesToTheNext(t *testing.T) {
	g := ready(1)
	id, _ := g.Arrive(epoch, Request{})
	want(t, g.Unsent(id, epoch), Wait{at(retryEvery)})
	g.Stopping(1)
	want(t, g.Ask(id, at(1)), Wait{at(hold)})
	g.Ended(1)
	g.Started(2)
	g.Ready(2)
	want(t, g.Ask(id, at(2)), Send{2})
	want(t, g.Unsent(id, at(3*time.Second)), Wait{at(3*time.Second + retryEvery)})
}

func TestUnreadyRefusesAtOnce(t *testing.T) {
	g := New(Options{Hold: hold})
	g.Started(1)
	g.NotReady(1, "status 404")
	id, v := g.Arrive(epoch, Request{})
	want(t, v, Send{1})
	want(t, g.Unsent(id, epoch), Fail{NotReady, "status 404"})
}

// TestBrokenIsNotSentAgain: also when another generation is ready.
func TestBrokenIsNotSentAgain(t *testing.T) {
	g := ready(1)
	id, _ := g.Arrive(epoch, Request{})
	g.Exited(1)
	g.Started(2)
	g.Ready(2)
	want(t, g.Broken(id), Fail{Cause: Lost})
}

func TestUnanswered(t *testing.T) {
	arrive := func(g *Gate) ID { id, _ := g.Arrive(epoch, Request{}); return id }
	read := func(g *Gate) ID { id, _ := g.Arrive(epoch, Request{Reads: true}); return id }
	page := func(g *Gate) ID { id, _ := g.Arrive(epoch, Request{Page: true, Reads: true}); return id }
	const poll, minute = pollAge + 1, time.Minute // of a stop that begins when a read is taken for a poll, or later
	for _, c := range []struct {
		name  string
		past  func(*Gate)
		began time.Duration
		now   time.Duration
		n     int
		look  time.Time
	}{
		{"nothing", func(*Gate) {}, 0, 0, 0, time.Time{}},
		{"sent", func(g *Gate) { arrive(g) }, 0, time.Hour, 1, time.Time{}},
		{"over", func(g *Gate) { g.Over(arrive(g)) }, 0, 0, 0, time.Time{}},
		{"waits for a second try", func(g *Gate) { g.Unsent(arrive(g), epoch) }, 0, 0, 0, time.Time{}},
		{"a download", func(g *Gate) { g.Answered(arrive(g), epoch, Sized) }, 0, time.Hour, 1, time.Time{}},
		{"a page in pieces", func(g *Gate) { g.Answered(arrive(g), epoch, Unsized) }, 0, settled - 1, 1, at(settled)},
		{"a stream, as it turns out", func(g *Gate) { g.Answered(arrive(g), epoch, Unsized) }, 0, settled, 0, time.Time{}},
		{"a stream", func(g *Gate) { g.Answered(arrive(g), epoch, Stream) }, 0, 0, 0, time.Time{}},
		{"a long poll", func(g *Gate) { read(g) }, poll, poll, 1, at(poll + pollWait)},
		{"a long poll that was waited for", func(g *Gate) { page(g) }, poll, poll + pollWait, 0, time.Time{}},
		{"a slow read", func(g *Gate) { read(g) }, pollAge, time.Hour, 1, time.Time{}},
		{"a slow change", func(g *Gate) { arrive(g) }, minute, time.Hour, 1, time.Time{}},
		{"a long download", func(g *Gate) { g.Answered(read(g), epoch, Sized) }, minute, time.Hour, 1, time.Time{}},
		{"sent for a second time", func(g *Gate) {
			id := read(g)
			g.Unsent(id, epoch)
			g.Ask(id, at(minute))
		}, minute, time.Hour, 1, time.Time{}},
		{"the first of two looks", func(g *Gate) {
			g.Answered(arrive(g), at(time.Millisecond), Unsized)
			g.Answered(arrive(g), epoch, Unsized)
			arrive(g)
		}, 0, 0, 3, at(settled)},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := ready(1)
			c.past(g)
			if n, look := g.Unanswered(1, at(c.began), at(c.now)); n != c.n || look != c.look {
				t.Errorf("got %d, look again at %v; want %d, %v", n, look, c.n, c.look)
			}
			if n, _ := g.Unanswered(2, at(c.began), at(c.now)); n != 0 {
				t.Errorf("another generation owes %d", n)
			}
		})
	}
}

func TestImpossible(t *testing.T) {
	for name, try := range map[string]func(*Gate){
		"two generations":        func(g *Gate) { g.Started(2) },
		"an unknown request":     func(g *Gate) { g.Over(7) },
		"an answer to nothing":   func(g *Gate) { g.Stopping(1); id, _ := g.Arrive(epoch, Request{}); g.Answered(id, epoch, Sized) },
		"asked for once sent":    func(g *Gate) { id, _ := g.Arrive(epoch, Request{}); g.Ask(id, epoch) },
		"unsent once answered":   func(g *Gate) { id, _ := g.Arrive(epoch, Request{}); g.Answered(id, epoch, Sized); g.Unsent(id, epoch) },
		"over for a second time": func(g *Gate) { id, _ := g.Arrive(epoch, Request{}); g.Over(id); g.Over(id) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it is allowed")
				}
			}()
			try(ready(1))
		})
	}
}
