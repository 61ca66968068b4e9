package proc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Launcher starts instances. Its zero value is ready. Prepare, Start and Close
// may be called from several goroutines.
type Launcher struct {
	mu      sync.Mutex
	idle    *guardian
	started []*Instance // whose guardians may be there
	closed  bool
}

// guardian is one guardian process as devguard sees it: the child that devguard
// waits for, and the socket to the process that starts the app.
type guardian struct {
	child *os.Process // the warden, or on macOS the guardian itself
	conn  *net.UnixConn
}

// end closes the socket, which ends an idle guardian, and waits for it.
func (g *guardian) end() {
	g.conn.Close()
	g.child.Wait() // its status says nothing that matters: it was idle
}

// Prepare has a guardian wait for the next Start, which then costs little more
// than a plain exec. It returns before the guardian is ready, and does nothing
// when one is waiting already. Only Close or devguard's death ends it.
func (l *Launcher) Prepare() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errClosed
	}
	if l.idle != nil {
		return nil
	}
	g, err := spawn()
	if err != nil {
		return fmt.Errorf("start guardian: %w", err)
	}
	l.idle = g
	return nil
}

var errClosed = errors.New("the launcher is closed")

// Close ends the prepared guardian, if any, and waits for it and for those of
// trees that are gone. Instances live on.
func (l *Launcher) Close() {
	l.mu.Lock()
	g, started := l.idle, l.started
	l.idle, l.started, l.closed = nil, nil, true
	l.mu.Unlock()
	if g != nil {
		g.end()
	}
	for _, i := range started {
		select {
		case <-i.empty:
			<-i.gone
		default:
		}
	}
}

// keep has Close wait for i's guardian.
func (l *Launcher) keep(i *Instance) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.started = append(slices.DeleteFunc(l.started, (*Instance).ended), i)
}

// Start runs spec under a guardian of its own. ctx bounds the start alone: when
// it ends before the app is executed, nothing is left running. A failure to
// execute the file is a *StartError.
func (l *Launcher) Start(ctx context.Context, spec Spec) (*Instance, error) {
	start, err := spec.resolve()
	if err != nil {
		return nil, err
	}
	msg, err := frame(command{Op: opStart, Start: start})
	if err != nil {
		return nil, err
	}
	if g := l.take(); g != nil {
		// Somebody may have killed it while it was waiting. All of it is gone
		// when that is known, so a second attempt cannot be a second instance.
		if i, err := l.startOn(ctx, g, start, msg, spec); !errors.Is(err, errLost) {
			return i, err
		}
	}
	g, err := spawn()
	if err != nil {
		return nil, fmt.Errorf("start guardian: %w", err)
	}
	return l.startOn(ctx, g, start, msg, spec)
}

func (l *Launcher) take() *guardian {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.idle
	l.idle = nil
	return g
}

// errLost is a guardian that ended before it had started the app.
var errLost = errors.New("its guardian was killed")

// startOn has g execute the app and waits until it has.
func (l *Launcher) startOn(ctx context.Context, g *guardian, start *startSpec, msg []byte, spec Spec) (*Instance, error) {
	files, closeNull, err := spec.files()
	if err != nil {
		g.end()
		return nil, err
	}
	i := newInstance(g, spec) // before the app can change the modes of the terminal
	err = sendFiles(g.conn, msg, files)
	closeNull()
	if err != nil {
		g.end()
		return nil, fmt.Errorf("start %s: %w: %w", spec.Path, errLost, err)
	}
	go i.run()
	select {
	case err = <-i.started:
	case <-ctx.Done():
		i.Kill()
		err = ctx.Err()
	}
	if err == nil {
		l.keep(i)
		return i, nil
	}
	<-i.gone
	if spec.Filter {
		if filter, err := i.Filter(); err == nil {
			filter.Close()
		}
	}
	var errno startErrno
	if errors.As(err, &errno) {
		return nil, newStartError(string(start.Path), string(start.Dir), errno)
	}
	return nil, fmt.Errorf("start %s: %w", spec.Path, err)
}

// resolve makes everything absolute: the guardian may have been prepared in
// another directory.
func (s Spec) resolve() (*startSpec, error) {
	dir, err := filepath.Abs(s.Dir)
	if err != nil {
		return nil, fmt.Errorf("start %s: working directory: %w", s.Path, err)
	}
	path := s.Path
	switch {
	case !strings.ContainsRune(path, filepath.Separator):
		if path, err = exec.LookPath(path); err != nil {
			return nil, lookError(s.Path, err)
		}
		if path, err = filepath.Abs(path); err != nil {
			return nil, fmt.Errorf("start %s: %w", s.Path, err)
		}
	case !filepath.IsAbs(path):
		path = filepath.Join(dir, path)
	}
	env := s.Env
	if env == nil {
		env = os.Environ()
	}
	return &startSpec{
		Path:       []byte(path),
		Argv:       toBytes(append([]string{s.Path}, s.Args...)),
		Dir:        []byte(dir),
		Env:        toBytes(env),
		Foreground: s.Foreground,
		Filter:     s.Filter,
		Group:      ownGroup(),
	}, nil
}

// files returns the app's three files, /dev/null for those that are nil.
func (s Spec) files() (files [3]*os.File, closeNull func(), err error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return files, nil, fmt.Errorf("start %s: %w", s.Path, err)
	}
	for i, f := range []*os.File{s.Stdin, s.Stdout, s.Stderr} {
		if files[i] = f; f == nil {
			files[i] = null
		}
	}
	return files, func() { null.Close() }, nil
}
