package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/osproc"
)

// postmaster is the running server, a child of the guardian.
type postmaster struct {
	cmd  *exec.Cmd
	port int
	data string
	done chan struct{} // closed when it is reaped
}

var errPortTaken = errors.New("the port is taken")

// bringUp ends what an earlier server left, makes the cluster if there is none and returns once the
// server answers and the database exists.
func bringUp(ctx context.Context, sp spec, log *slog.Logger) (*postmaster, error) {
	l := sp.Layout
	if err := endLeftovers(ctx, l.data(), log); err != nil {
		return nil, err
	}
	if err := ensureCluster(ctx, sp); err != nil {
		return nil, err
	}
	for _, port := range sp.Ports {
		if !portFree(port) {
			continue
		}
		p, err := serve(ctx, sp, port)
		if errors.Is(err, errPortTaken) {
			continue // somebody was faster between our look and the server's
		}
		if err != nil {
			return nil, err
		}
		if err := p.announce(ctx, l); err != nil {
			p.stop(log)
			return nil, err
		}
		return p, nil
	}
	return nil, fmt.Errorf("no free port for the embedded Postgres: %v are all taken", sp.Ports)
}

// announce makes the database and writes where the server listens.
func (p *postmaster) announce(ctx context.Context, l layout) error {
	text, err := json.Marshal(record{Port: p.port})
	if err != nil {
		return err
	}
	if err := writeFile(l.record(), text); err != nil {
		return fmt.Errorf("note where the embedded Postgres listens: %w", err)
	}
	s, err := l.recorded()
	if err != nil {
		return logline.WithHint(fmt.Errorf("read the password of the data in %s: %w", l.data(), err), "without it, remove that folder to start with an empty database")
	}
	if err := s.ensureDatabase(ctx); err != nil {
		return fmt.Errorf("the embedded Postgres runs but cannot be used: %w; its log is %s", err, l.log())
	}
	return nil
}

// serve starts the server and waits until it says that it is ready.
func serve(ctx context.Context, sp spec, port int) (*postmaster, error) {
	l := sp.Layout
	logged := size(l.log())
	cmd := exec.Command(sp.Binaries.Path("postgres"), "-D", l.data(), "-p", strconv.Itoa(port),
		"-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", // a project's path is often longer than a socket's may be
		"-c", "logging_collector=off", "-c", "log_destination=stderr")
	cmd.Dir = l.data()
	cmd.Env = serverEnv()
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr // the log
	sp.Account.Apply(cmd)
	osproc.EndWithParent(cmd, fastShutdown) // elsewhere than on Linux the next Acquire ends it
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the embedded Postgres: %w", err)
	}
	p := &postmaster{cmd: cmd, port: port, data: l.data(), done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // the state is read from cmd.ProcessState
		close(p.done)
	}()
	if err := p.awaitReady(ctx); err != nil {
		p.stop(slog.New(slog.DiscardHandler))
		return nil, explain(err, l.log(), logged)
	}
	return p, nil
}

// awaitReady waits until the eighth line of the server's pid file says ready. There is no time
// limit: after a crash the server replays its log first.
func (p *postmaster) awaitReady(ctx context.Context) error {
	for {
		lines := pidFile(p.data)
		if len(lines) >= 8 && lines[0] == strconv.Itoa(p.cmd.Process.Pid) && strings.TrimSpace(lines[7]) == "ready" {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("the server ended (%v)", p.cmd.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("interrupted: %w", context.Cause(ctx))
		default:
			pause(ctx)
		}
	}
}

// stop ends the server: fast, then immediate, then by SIGKILL.
func (p *postmaster) stop(log *slog.Logger) {
	for _, step := range []struct {
		sig  syscall.Signal
		wait time.Duration // guesses: a fast shutdown writes what is unwritten
	}{{fastShutdown, 10 * time.Second}, {immediateShutdown, 5 * time.Second}} {
		_ = p.cmd.Process.Signal(step.sig)
		t := time.NewTimer(step.wait)
		select {
		case <-p.done:
			t.Stop()
			return
		case <-t.C:
			log.Warn("the server does not stop", "signal", step.sig.String(), "after", step.wait.String())
		}
	}
	_, others := leftovers(p.data)
	_ = p.cmd.Process.Kill()
	<-p.done
	for _, pid := range others {
		signalPid(pid, syscall.SIGKILL)
	}
}

// serverEnv leaves out PG* variables, which would change the server's defaults, and keeps messages
// in English: explain reads them.
func serverEnv() []string {
	env := []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	if tz, ok := os.LookupEnv("TZ"); ok {
		env = append(env, "TZ="+tz)
	}
	return env
}

// pidFile returns the lines of postmaster.pid; none when it cannot be read.
func pidFile(data string) []string {
	b, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return nil
	}
	return strings.Split(string(b), "\n")
}

func postmasterPid(data string) (int, error) {
	lines := pidFile(data)
	if len(lines) == 0 {
		return 0, fmt.Errorf("no postmaster.pid in %s", data)
	}
	return strconv.Atoi(strings.TrimSpace(lines[0]))
}

func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
