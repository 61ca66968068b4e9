package watch

import (
	"context"
	"time"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
)

// loop owns what is known of the tree. Its methods run on one goroutine, which selects in run.
type loop struct {
	w    *Watcher
	opts Options

	batches <-chan batch      // nil without events
	posts   chan<- change.Set // to the mailbox

	plan   Plan
	rules  *classify.Rules // of the last plan that is wholly in force; nil if none is
	dirs   *dirSet
	files  map[string]*file
	below  map[string]int // how many of files each directory has in it or below
	sums   sums
	hooks  []change.HookState // only Missing; the digests are in sums
	git    gitState
	ignore *ignorer

	version  uint64
	seq      uint64
	headers  uint64
	unlisted uint64
	last     change.Snapshot // the newest one made

	postponed      map[string]time.Time // files that look half saved, since when
	postponedTick  <-chan time.Time     // when to look at them again; nil while there are none
	postponedLooks int                  // how often that was done
	reported       map[string]time.Time // ignored paths that a set has named lately
	notes          []change.Note        // for the next set
	told           map[string]bool      // notes that are not sent again

	callers []*caller // of CatchUp, not answered yet
	cookies cookies

	poller
	background
}

func newLoop(w *Watcher, opts Options) *loop {
	return &loop{
		w: w, opts: opts,
		dirs:      newDirSet(),
		files:     map[string]*file{},
		below:     map[string]int{},
		ignore:    newIgnorer(),
		postponed: map[string]time.Time{},
		reported:  map[string]time.Time{},
		told:      map[string]bool{},
	}
}

func (l *loop) run(ctx context.Context) {
	defer l.stopWalks()
	defer l.stopPolling()
	defer l.closeCookies()
	for {
		select {
		case f := <-l.w.asks:
			f(l)
		case b := <-l.batches:
			l.events(ctx, b)
		case <-l.postponedTick:
			l.lookAtPostponed(ctx)
		case now := <-l.tick:
			l.poll(ctx, now)
		case <-ctx.Done():
			return
		}
		l.rescanNew(ctx)
		l.serve(ctx)
		l.startWalks(ctx)
	}
}

// rescanNew lists the directories whose watch was set anew while another one was: nobody heard what
// happened in them before that. It also looks at links that were awaited and have arrived meanwhile.
func (l *loop) rescanNew(ctx context.Context) {
	for range maxAttach { // an exchange that goes on after that makes events
		touched := l.dirs.rewatched
		if len(touched)+len(l.dirs.arrived) == 0 {
			return
		}
		l.dirs.rewatched = map[string]struct{}{}
		out := findings{at: time.Now()}
		hints := map[string]hint{}
		l.rewatch(touched, hints)
		if l.check(ctx, hints, &out) != nil {
			return // closing
		}
		l.allOutputs()
		l.publish(out)
	}
}

// note keeps a message for the next set, once.
func (l *loop) note(n change.Note) {
	if !l.told[n.Msg] {
		l.told[n.Msg] = true
		l.notes = append(l.notes, n)
	}
}
