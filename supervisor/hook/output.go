package hook

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

const (
	maxOutput = 64 << 10 // of Result.Output

	// escaped is how long after the end of the hook's group its pipe may stay
	// open. All the hook wrote is in the pipe by then, so this waits only for
	// the end of file that a process in another session may hold back.
	escaped = 100 * time.Millisecond
	// pipeSize bounds what is read after that: what a pipe holds on Linux by
	// default (pipe(7)); macOS has the same maximum.
	pipeSize = 64 << 10
)

// output carries the hook's output to its writers and keeps the end of it.
type output struct {
	tail    tail
	pipes   []*os.File // read ends
	ours    []*os.File // write ends, closed once the hook has them
	copying sync.WaitGroup
}

// attach sets cmd's stdout and stderr.
func (o *output) attach(cmd *exec.Cmd, stdout, stderr io.Writer) error {
	if stdout == nil {
		stdout = os.Stderr
	}
	if stderr == nil {
		stderr = os.Stderr
	}
	first, err := o.file(stdout)
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = first, first
	if sameWriter(stdout, stderr) {
		return nil
	}
	second, err := o.file(stderr)
	if err != nil {
		o.started()
		o.drain()
		return err
	}
	cmd.Stderr = second
	return nil
}

// file returns what the hook writes to, so that w gets it.
func (o *output) file(w io.Writer) (*os.File, error) {
	if f, ok := w.(*os.File); ok {
		return f, nil
	}
	pr, pw, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	o.pipes = append(o.pipes, pr)
	o.ours = append(o.ours, pw)
	o.copying.Go(func() {
		o.copy(w, pr)
	})
	return pw, nil
}

// started closes our write ends: only the hook's processes hold them now.
func (o *output) started() {
	for _, f := range o.ours {
		f.Close()
	}
	o.ours = nil
}

// drain waits until everything written is copied, and closes the pipes.
func (o *output) drain() {
	for _, r := range o.pipes {
		// An error means that this system has no deadlines on pipes;
		// then the end of file is waited for.
		_ = r.SetReadDeadline(time.Now().Add(escaped))
	}
	o.copying.Wait()
	for _, r := range o.pipes {
		r.Close()
	}
	o.pipes = nil
}

// copy copies until the end of file. A writer that fails stops nothing: the
// hook must not be stopped by a full pipe because nobody looks at its output.
func (o *output) copy(w io.Writer, r *os.File) {
	buf := make([]byte, 32<<10)
	left := -1 // bytes still read after the deadline; -1 before it
	for left != 0 {
		n, err := r.Read(buf)
		if n > 0 {
			o.tail.Write(buf[:n])
			w.Write(buf[:n])
		}
		switch {
		case left >= 0:
			left = max(0, left-n)
		case errors.Is(err, os.ErrDeadlineExceeded):
			// The deadline wins over data that is there already, and a
			// slow writer may have left some: take it, but wait no more.
			left, err = pipeSize, nil
		}
		if err != nil {
			return
		}
		if left > 0 {
			_ = r.SetReadDeadline(time.Now().Add(escaped / 10))
		}
	}
}

// sameWriter reports whether both are one writer. Like os/exec, it takes
// writers of a type that cannot be compared for different ones.
func sameWriter(a, b io.Writer) bool {
	defer func() { recover() }()
	return a == b
}

// tail keeps the last maxOutput bytes written to it. Two pipes may write at the
// same time.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

// Write keeps the end of p.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if len(t.buf) > 2*maxOutput { // move seldom, not at every write
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-maxOutput:]...)
	}
	return len(p), nil
}

func (t *tail) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf[max(0, len(t.buf)-maxOutput):]
}
