package supervisor

import (
	"context"
	"os"
	"syscall"
	"time"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/osproc"
	"github.com/devguard/devguard/supervisor/reload"
)

// loop is the one goroutine that owns the reload state. Everything it waits for is a
// channel, and everything it does is done elsewhere: nothing here blocks but the
// select.
type loop struct {
	doers    doers
	say      func(reload.Log)      // writes a line of the log
	help     func()                // tells what the keys do
	reset    func()                // ends the app's database sessions; does not wait
	refresh  func(styles bool)     // has pages reload, or take their stylesheets anew; does not wait
	showPage func()                // opens the status page; does not wait
	publish  func(reload.Snapshot) // shows the state to others; does not wait

	changes <-chan change.Set
	replace <-chan struct{}  // see App.Replace
	signals <-chan os.Signal // SIGQUIT is for the app, Ctrl-Z for both, any other ends devguard
	keys    <-chan rune      // nil without a terminal
	ended   <-chan struct{}  // closed when devguard is to end, like by Ctrl-C
	wishes  <-chan wish      // of whoever talks to devguard
	granted chan<- struct{}  // of the wish that this step is about; nil for none

	outcomes chan outcome
	cancels  map[reload.ID]context.CancelFunc // of the effects in flight
}

// run returns when the user has ended it, or with the reason why nothing can be done.
// No effect is in flight then.
func (l *loop) run(st reload.State) error {
	l.outcomes, l.cancels = make(chan outcome), map[reload.ID]context.CancelFunc{}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	st, effects := reload.Begin(st, time.Now())
	for {
		for _, e := range effects {
			l.do(e)
		}
		snap := st.Snapshot()
		l.publish(snap)
		if l.granted != nil {
			close(l.granted)
			l.granted = nil
		}
		if snap.Done {
			return snap.Err
		}
		wake(timer, st.Deadline())
		st, effects = reload.Step(st, l.next(timer.C), time.Now())
	}
}

// wake sets the timer for a deadline; without one it stays off.
func wake(timer *time.Timer, deadline time.Time) {
	timer.Stop()
	if !deadline.IsZero() {
		timer.Reset(max(time.Until(deadline), 0))
	}
}

// next waits for the next event. A channel that would be ready for ever is set to nil.
func (l *loop) next(tick <-chan time.Time) reload.Event {
	for {
		select {
		case set := <-l.changes:
			return reload.Changed{Set: set}
		case out := <-l.outcomes:
			delete(l.cancels, out.id)
			return out.answer
		case <-l.replace:
			return reload.Replace{}
		case sig := <-l.signals:
			return signalled(sig)
		case key, open := <-l.keys:
			if !open {
				l.keys = nil // the terminal is gone
			}
			if ev := l.key(key); ev != nil {
				return ev
			}
		case w := <-l.wishes:
			l.granted = w.granted
			return w.event
		case <-l.ended:
			l.ended = nil
			return reload.Interrupt{}
		case <-tick:
			return reload.Tick{}
		}
	}
}

func signalled(sig os.Signal) reload.Event {
	switch {
	case sig == syscall.SIGQUIT:
		return reload.Quit{}
	case osproc.IsJobStop(sig):
		return reload.Suspend{}
	}
	return reload.Interrupt{}
}

// key turns a key into an event; nil when there is nothing to decide.
func (l *loop) key(r rune) reload.Event {
	switch r {
	case 'r':
		return reload.Restart{}
	case 'q':
		return reload.Interrupt{}
	case 'd':
		l.reset()
	case 'o':
		l.showPage()
	case '?':
		l.help()
	}
	return nil
}
