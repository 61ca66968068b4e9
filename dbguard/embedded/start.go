package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/osproc"
)

// spec is what a guardian is told on its standard input.
type spec struct {
	Layout   layout
	Account  *Account
	Binaries Binaries
	Ports    []int  // to try in this order
	Settings string // of a new cluster
}

// reply is what a guardian answers once the server serves, or cannot.
type reply struct {
	Error string `json:",omitempty"`
	Hint  string `json:",omitempty"`
}

// startServer starts a guardian that inherits the locked file guardian, and waits until its server
// answers.
func startServer(ctx context.Context, o Options, l layout, account *Account, guardian *os.File) (*Server, error) {
	began := time.Now()
	b, err := o.choose(ctx, l, account)
	if err != nil {
		return nil, err
	}
	last, _ := l.recorded() // nil before the first start
	sp := spec{Layout: l, Account: account, Binaries: b, Ports: candidates(l.Home, last), Settings: settings + o.settings}
	if err := launch(ctx, sp, guardian); err != nil {
		return nil, err
	}
	s, err := l.recorded()
	if err != nil {
		return nil, fmt.Errorf("read where the embedded Postgres listens: %w", err)
	}
	if last != nil && last.port != s.port {
		logline.EmbeddedPort(s.port, last.port).To(o.Log)
	}
	logline.EmbeddedStarted(b.Version, s.port, l.data(), time.Since(began)).To(o.Log)
	return s, nil
}

// choose picks the installation: for data that exists one of its major version, otherwise the first
// found, otherwise the fetched one.
func (o Options) choose(ctx context.Context, l layout, account *Account) (Binaries, error) {
	want, err := l.dataMajor()
	if err != nil {
		return Binaries{}, err
	}
	found := o.find(ctx, account)
	for _, b := range found {
		if want == "" || want == strconv.Itoa(b.Major) {
			return b, nil
		}
	}
	if want == "" || want == fetchedMajor {
		return o.fetched(ctx, l, account)
	}
	have := "none is installed"
	if len(found) > 0 {
		have = "this machine has " + describe(found)
	}
	return Binaries{}, logline.WithHint(fmt.Errorf("the data in %s was made by PostgreSQL %s, and %s", l.data(), want, have),
		fmt.Sprintf("install PostgreSQL %s, or remove that folder to start with an empty database", want))
}

func describe(found []Binaries) string {
	var names []string
	for _, b := range found {
		names = append(names, b.Version+" in "+b.Dir)
	}
	return strings.Join(names, ", ")
}

// launch runs the guardian and reads its reply. The process started here only starts the real one
// and ends, so that the guardian is nobody's child and needs no one to reap it.
func launch(ctx context.Context, sp spec, guardian *os.File) error {
	text, err := json.Marshal(sp)
	if err != nil {
		return fmt.Errorf("BUG: encode the guardian's task: %w", err)
	}
	self, err := osproc.Self()
	if err != nil {
		return fmt.Errorf("find devguard's own program: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("a pipe to the embedded Postgres' guardian: %w", err)
	}
	defer r.Close()
	cmd := exec.Command(self, guardianArg, "start")
	cmd.Dir = "/" // holds on to no folder of the user's
	cmd.Env = guardianEnv()
	cmd.ExtraFiles = []*os.File{w, guardian}
	cmd.Stdin = strings.NewReader(string(text))
	detach(cmd)
	out, err := cmd.CombinedOutput()
	w.Close()
	if err != nil {
		return fmt.Errorf("start the embedded Postgres' guardian: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return awaitReply(ctx, r, sp.Layout)
}

// awaitReply reads until the guardian closes the pipe. When ctx ends first, the guardian ends by
// itself: the caller drops its share.
func awaitReply(ctx context.Context, r *os.File, l layout) error {
	stop := context.AfterFunc(ctx, func() { _ = r.SetReadDeadline(time.Now()) })
	defer stop()
	text, err := io.ReadAll(r)
	var answer reply
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("start the embedded Postgres: %w", ctx.Err())
	case err != nil:
		return fmt.Errorf("start the embedded Postgres: %w", err)
	case json.Unmarshal(text, &answer) != nil:
		return fmt.Errorf("the embedded Postgres' guardian ended without a word; its log is %s", l.log())
	case answer.Error != "":
		return logline.WithHint(errors.New(answer.Error), answer.Hint)
	}
	return nil
}

// guardianEnv leaves the secrets of the user's shell out of a process that outlives it.
func guardianEnv() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TZ", "GOCOVERDIR", "GORACE"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}
