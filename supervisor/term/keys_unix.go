//go:build unix

package term

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Keys reads keys from a terminal until it is closed.
type Keys struct {
	tty    *os.File
	keys   chan rune
	closed chan struct{} // closed by Close: nobody takes keys any more
	once   sync.Once
	done   chan struct{} // closed when both goroutines have ended

	signals chan os.Signal
	wake    *os.File // write end; ends the reader's select
	woken   *os.File // read end

	gave  chan struct{} // answers toGiveBack
	ended chan struct{} // closed when nobody reads the terminal any more

	has        has
	saved, raw *unix.Termios // what it had, and what we changed it to
}

// has says who has the terminal.
type has int

const (
	others has = iota // another group is in the foreground, which may change
	ours              // this process is in the foreground, and the modes are changed
	given             // GiveBack has given it back, until SIGCONT
)

// What is written to wake.
const (
	toClose    = 'q'
	toGiveBack = 'z'
	toContinue = 'c'
)

// background is how often a process in the background looks whether it still
// is: a shell's fg sends SIGCONT to a stopped job, but none to a running one.
const background = time.Second

// Open starts reading keys from the terminal. The caller closes it, also when it
// panics: defer Close.
func Open(f *os.File) (*Keys, error) {
	if !IsTerminal(f) {
		return nil, ErrNoTerminal
	}
	if _, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPGRP); err != nil {
		return nil, ErrNoTerminal // ENOTTY: it does not control us
	}
	woken, wake, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	k := &Keys{
		tty: f, wake: wake, woken: woken,
		keys: make(chan rune, 16), closed: make(chan struct{}), done: make(chan struct{}),
		signals: make(chan os.Signal, 4), gave: make(chan struct{}), ended: make(chan struct{}),
	}
	// Ignored, not caught: the kernel would repeat a caught one for ever, and
	// with `stty tostop` every log line from the background would be stopped.
	// Children inherit that, so an app is not stopped by its output either.
	signal.Ignore(unix.SIGTTIN, unix.SIGTTOU)
	signal.Notify(k.signals, unix.SIGCONT)
	if err := k.apply(); err != nil {
		signal.Stop(k.signals)
		wake.Close()
		woken.Close()
		return nil, fmt.Errorf("read keys: %w", err)
	}
	go k.run()
	return k, nil
}

// Keys returns the channel of keys; nil of a nil k. It is closed when the terminal is gone or
// Close was called. Keys that nobody takes are dropped after the first few.
func (k *Keys) Keys() <-chan rune {
	if k == nil {
		return nil
	}
	return k.keys
}

// Close stops reading and gives the terminal back as it was. It may be called
// more than once.
func (k *Keys) Close() {
	k.once.Do(func() {
		signal.Stop(k.signals)
		close(k.closed)
		_, _ = k.wake.Write([]byte{toClose})
	})
	<-k.done
}

// GiveBack gives the terminal back as it was, until SIGCONT: the caller stops this
// process next. It may be called on nil, and after Close.
func (k *Keys) GiveBack() {
	if k == nil {
		return
	}
	_, _ = k.wake.Write([]byte{toGiveBack}) // fails after Close, when ended is closed
	select {
	case <-k.gave:
	case <-k.ended:
	}
}

// run owns the terminal until Close.
func (k *Keys) run() {
	forwarded := make(chan struct{})
	go func() {
		defer close(forwarded)
		k.forward()
	}()
	k.read()
	k.restore()
	close(k.ended)
	close(k.keys)
	<-k.closed
	<-forwarded
	k.wake.Close()
	k.woken.Close()
	close(k.done)
}

// forward turns signals into bytes, which a select on files can wait for.
func (k *Keys) forward() {
	for {
		select {
		case <-k.signals:
			_, _ = k.wake.Write([]byte{toContinue})
		case <-k.closed:
			return
		}
	}
}

// read returns on Close, or when the terminal has hung up.
func (k *Keys) read() {
	buf := make([]byte, 256)
	for {
		key, woken, err := k.wait()
		switch {
		case err != nil:
			return
		case woken:
			n, err := k.woken.Read(buf)
			if err != nil || !k.obey(buf[:n]) {
				return
			}
		case k.has != given && k.apply() != nil:
			return
		case key && k.has == ours:
			n, err := k.tty.Read(buf)
			if n == 0 && err == nil || errors.Is(err, io.EOF) {
				return
			}
			// EIO: hung up, or in the background just now; apply knows.
			k.send(decode(buf[:max(0, n)]))
		}
	}
}

// wait waits until there is a key (asked for only in the foreground) or a byte
// in the pipe; in the background also until it is time to look again. It uses
// select(2), because on macOS poll(2) and kqueue(2) do not know terminals.
func (k *Keys) wait() (key, woken bool, err error) {
	tty, pipe := int(k.tty.Fd()), int(k.woken.Fd())
	for {
		var set unix.FdSet
		set.Set(pipe)
		var timeout *unix.Timeval
		switch k.has {
		case ours:
			set.Set(tty)
		case others:
			t := unix.NsecToTimeval(int64(background))
			timeout = &t
		}
		_, err := unix.Select(max(tty, pipe)+1, &set, nil, nil, timeout)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return err == nil && set.IsSet(tty), err == nil && set.IsSet(pipe), err
	}
}

// obey does what was asked through the pipe and reports whether to go on.
func (k *Keys) obey(asked []byte) bool {
	for _, b := range asked {
		switch b {
		case toClose:
			return false
		case toGiveBack:
			k.restore()
			k.has = given
			k.gave <- struct{}{}
		case toContinue:
			if k.apply() != nil {
				return false
			}
		}
	}
	return true
}

func (k *Keys) send(keys []rune) {
	for _, r := range keys {
		select {
		case k.keys <- r:
		case <-k.closed:
			return
		default: // somebody sits on a key; the first few are enough
		}
	}
}

// foreground reports whether this process may use the terminal now. An error
// means that the terminal is gone.
func (k *Keys) foreground() (bool, error) {
	pgrp, err := unix.IoctlGetInt(int(k.tty.Fd()), unix.TIOCGPGRP)
	return pgrp == unix.Getpgrp(), err
}

// apply changes the terminal if it is ours, unless it is changed already: after
// a stop a shell may have set it back, or not. An error means that it is gone.
func (k *Keys) apply() error {
	mine, err := k.foreground()
	if err != nil || !mine {
		k.has = others // who has it now sets what it wants
		return err
	}
	fd := int(k.tty.Fd())
	now, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return err
	}
	if k.raw == nil || *now != *k.raw {
		raw := *now
		raw.Lflag &^= unix.ICANON | unix.ECHO
		raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
		if err := unix.IoctlSetTermios(fd, setTermios, &raw); err != nil {
			return err
		}
		k.saved, k.raw = now, &raw
	}
	k.has = ours
	return nil
}

// restore gives the terminal back. From the background it must not: a shell has
// set what it wants since.
func (k *Keys) restore() {
	if mine, err := k.foreground(); k.has == ours && mine && err == nil {
		_ = unix.IoctlSetTermios(int(k.tty.Fd()), setTermios, k.saved)
	}
	k.has = others
}
