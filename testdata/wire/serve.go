package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/devguard/devguard/dbguard/guard"
)

// What this program's own processes are told.
const (
	roleVariable     = "WIRE_ROLE" // floor, loop, or the mode of a guard
	upstreamVariable = "WIRE_UPSTREAM"
	profileVariable  = "WIRE_PROFILE" // a file; none when empty
)

// serve is one of our processes: it does what the lines of stdin say, answers
// each with a line, and ends with stdin. SIGINT is the benchmark's concern: ctx
// is not obeyed, so that sessions end in order.
func serve(ctx context.Context, role string) (err error) {
	ctx = context.WithoutCancel(ctx)
	stop, err := profile(os.Getenv(profileVariable))
	if err != nil {
		return err
	}
	defer stop()
	open := openGuard
	if role == "floor" || role == "loop" {
		open = openFloor
	}
	do, end, err := open(ctx, role, os.Getenv(upstreamVariable))
	if err != nil {
		return err
	}
	defer end()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		answer, err := do(lines.Text())
		if err != nil {
			return err
		}
		fmt.Println(answer)
	}
	return nil
}

// profile begins a CPU profile and returns what ends it.
func profile(file string) (stop func(), err error) {
	if file == "" {
		return func() {}, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}, pprof.StartCPUProfile(f)
}

// supervisor is the part of devguard that a guard needs around it.
type supervisor struct {
	guard *guard.Guard
	base  []string
	gen   int // the generation that runs
}

// openGuard opens a guard in a mode. It can build (the next generation's
// sessions are dialled ahead) and start (the old generation ends), which answers
// with the URL of the new one.
func openGuard(ctx context.Context, mode, upstream string) (do func(string) (string, error), end func(), err error) {
	dir, err := os.MkdirTemp("", "wire-")
	if err != nil {
		return nil, nil, err
	}
	run := make([]byte, 16)
	rand.Read(run) // never fails: crypto/rand
	s := &supervisor{base: []string{"DATABASE_URL=" + upstream}}
	s.guard, err = guard.Open(ctx, guard.Options{
		Project: dir, Dir: dir, RunID: hex.EncodeToString(run), Databases: []guard.Database{{Mode: mode}}, Env: s.base,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	end = func() {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err := errors.Join(s.guard.Close(ctx), os.RemoveAll(dir)); err != nil {
			say("wire: the guard did not end well: %v", err)
		}
	}
	return func(command string) (string, error) { return s.do(ctx, command) }, end, err
}

func (s *supervisor) do(ctx context.Context, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if command == "build" {
		return "", s.build(ctx)
	}
	s.gen++
	if s.gen > 1 {
		s.guard.RecordSockets(s.gen-1, nil)
		s.guard.Drain(ctx, s.gen-1)
	}
	return s.url(ctx, s.gen)
}

// build waits until a session of the next generation is dialled.
func (s *supervisor) build(ctx context.Context) error {
	if _, err := s.url(ctx, s.gen+1); err != nil {
		return err
	}
	for s.guard.Status().Upstreams[0].Spares == 0 {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return errors.New("no session is dialled ahead")
		}
	}
	return nil
}

// url returns what the app of a generation is told.
func (s *supervisor) url(ctx context.Context, gen int) (string, error) {
	env, err := s.guard.AppEnv(ctx, gen, s.base)
	for _, pair := range env {
		if value, found := strings.CutPrefix(pair, "DATABASE_URL="); found && "DATABASE_URL="+value != s.base[0] {
			return value, err
		}
	}
	return "", errors.Join(err, errors.New("the guard leaves the URL as it is"))
}

// openFloor opens a proxy that knows nothing of Postgres; every command is
// answered with its URL.
func openFloor(_ context.Context, role, upstream string) (do func(string) (string, error), end func(), err error) {
	to, err := url.Parse(upstream)
	if err != nil {
		return nil, nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	transfer := copyPlainly
	if role == "loop" {
		transfer = copyInLoop
	}
	go accept(l, to.Host, transfer) // until end: the process ends then
	to.Host = l.Addr().String()
	return func(string) (string, error) { return to.String(), nil }, func() { l.Close() }, nil
}

func accept(l net.Listener, upstream string, transfer func(to, from net.Conn)) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", upstream)
		if err != nil {
			client.Close()
			continue
		}
		go transfer(server, client)
		go transfer(client, server)
	}
}

// copyPlainly is what anyone would write; on Linux it is splice(2).
func copyPlainly(to, from net.Conn) {
	defer to.Close()
	io.Copy(to, from)
}

// copyInLoop passes the bytes through a buffer, as whoever looks at them must.
func copyInLoop(to, from net.Conn) {
	defer to.Close()
	io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, 64<<10))
}
