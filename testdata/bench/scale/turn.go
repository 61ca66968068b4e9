package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"example.com/bench/run"
)

// What is measured: a column of the table each.
const (
	start    = "start to serving, ms"
	known    = "until all is watched, s"
	watches  = "watches"
	memory   = "RSS (peak), MB"
	peak     = "peak"
	guardian = "guardian"
	after    = "after the saves"
	idling   = "CPU s a minute"
	mainSave = "save to serving, ms"
	working  = "CPU of the tool a save, ms"
	leafSave = "leaf, ms"
	overflow = "overflow to serving, ms"
	rescan   = "CPU of that, ms"
	checkout = "checkout of 5,000 files to serving, ms"
)

// turn is one run of a project under a contender.
type turn struct {
	*project
	*contender
	dir, log string
	idle     time.Duration
	saves    int

	url      string
	process  *run.Process // of the tool, or by hand of the program
	env      []string
	versions int
}

const branchTwo = "two"

func (t *turn) run(ctx context.Context) (err error) {
	ports, err := run.FreePorts(1, 20000, 32000)
	if err != nil {
		return err
	}
	t.url = fmt.Sprintf("http://127.0.0.1:%d/", ports[0])
	t.env = append(os.Environ(), fmt.Sprintf("PORT=%d", ports[0]), "GOFLAGS=", "GOWORK=off", "DATABASE_URL=")
	if err := firstError(os.RemoveAll(t.log), t.configure(t.dir)); err != nil {
		return err
	}
	if err := t.warm(ctx); err != nil {
		return err
	}
	defer func() {
		t.stop()
		err = errors.Join(err, t.git(context.WithoutCancel(ctx), "checkout", "-q", "-f", "one"))
	}()
	for _, step := range []func(context.Context) error{t.measureStart, t.measureIdle, t.measureSaves, t.measureOverflow, t.measureCheckout} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// warm has the build cache hold all packages as this contender compiles them: what is left of a first build is what
// it loads and links.
func (t *turn) warm(ctx context.Context) error {
	return run.Do(ctx, t.dir, t.env, "go", "build", "-o", os.DevNull, ".")
}

func (t *turn) stop() {
	if t.process != nil {
		t.process.Stop(syscall.SIGINT, 20*time.Second)
		t.process = nil
	}
}

// reload is what a person does by hand.
func (t *turn) reload(ctx context.Context) (err error) {
	binary := filepath.Join(t.dir, "tmp", "app")
	if err := run.Do(ctx, t.dir, t.env, "go", "build", "-o", binary, "."); err != nil {
		return err
	}
	t.stop()
	t.process, err = run.Start(t.dir, t.log, t.env, nil, binary)
	return err
}

func (t *turn) measureStart(ctx context.Context) (err error) {
	t.versions++
	want := fmt.Sprintf("r%d", t.versions) // so that something is to be linked
	if err := save(t.dir, "main.go", want); err != nil {
		return err
	}
	begun := time.Now()
	if t.tool == "" {
		err = t.reload(ctx)
	} else {
		t.process, err = run.Start(t.dir, t.log, t.env, nil, append([]string{t.program}, t.args...)...)
	}
	if err == nil {
		err = t.await(ctx, want+" ")
	}
	if err != nil {
		return err
	}
	t.add(start, run.Milliseconds(time.Since(begun)))
	if t.tool != "devguard" {
		return nil
	}
	if err := run.Do(ctx, t.dir, t.env, t.program, "wait", "--timeout", "10m"); err != nil {
		return err
	}
	t.add(known, time.Since(begun).Seconds())
	return t.awaitPlan(ctx)
}

// awaitPlan saves until devguard has built fast: it has to see first how the program is built, which it does when
// nothing else is to be done.
func (t *turn) awaitPlan(ctx context.Context) error {
	for end := time.Now().Add(5 * time.Minute); t.fast && time.Now().Before(end); {
		if err := run.Pause(ctx, 10*time.Second); err != nil {
			return err
		}
		t.versions++
		want := fmt.Sprintf("r%d", t.versions)
		if err := firstError(save(t.dir, "main.go", want), t.await(ctx, want+" ")); err != nil {
			return err
		}
		text, err := os.ReadFile(t.log)
		if err != nil || bytes.Contains(text, []byte(`"way":"fast"`)) {
			return err
		}
	}
	return nil
}

// measureIdle looks at the tool's processes while nothing happens.
func (t *turn) measureIdle(ctx context.Context) error {
	if t.tool == "" {
		return nil
	}
	if err := run.Pause(ctx, 3*time.Second); err != nil { // what follows a start is over
		return err
	}
	before, err := lookAt(t.process.Cmd.Process.Pid)
	if err != nil {
		return err
	}
	if err := run.Pause(ctx, t.idle); err != nil {
		return err
	}
	now, err := lookAt(t.process.Cmd.Process.Pid)
	if err != nil {
		return err
	}
	t.add(idling, (now.cpu-before.cpu).Seconds()*float64(time.Minute)/float64(t.idle))
	t.add(watches, float64(now.watches))
	t.add(memory, now.rss)
	t.add(peak, now.peak)
	if t.tool == "devguard" {
		t.add(guardian, now.children)
	}
	return nil
}

func (t *turn) measureSaves(ctx context.Context) error {
	before := t.used()
	defer func() { t.addWork(working, before, t.saves) }()
	for range t.saves {
		if err := t.measureSave(ctx, mainSave, "main.go", func(want string) string { return want + " " }); err != nil {
			return err
		}
		if t.leaf == "" {
			continue
		}
		if err := t.measureSave(ctx, leafSave, t.leaf, func(want string) string { return " " + want }); err != nil {
			return err
		}
	}
	if t.tool == "" {
		return nil
	}
	now, err := lookAt(t.process.Cmd.Process.Pid)
	if err == nil && t.long && t.seen[after] == nil {
		t.add(after, now.rss)
		t.add(after+peak, now.peak)
	}
	return err
}

// used is the processor time of the tool until now, without that of the go command and of the app. It says more than
// times on a machine that has other work.
func (t *turn) used() time.Duration {
	if t.tool == "" {
		return 0
	}
	return cpuOf(t.process.Cmd.Process.Pid)
}

func (t *turn) addWork(what string, before time.Duration, times int) {
	if t.tool != "" {
		t.add(what, run.Milliseconds(t.used()-before)/float64(times))
	}
}

func (t *turn) measureSave(ctx context.Context, what, file string, answer func(string) string) error {
	t.versions++
	want := fmt.Sprintf("r%d", t.versions)
	begun := time.Now()
	if err := save(t.dir, file, want); err != nil {
		return err
	}
	if err := t.served(ctx, answer(want)); err != nil {
		return err
	}
	t.add(what, run.Milliseconds(time.Since(begun)))
	return run.Pause(ctx, 300*time.Millisecond)
}

// served waits until a save is served, which by hand somebody has to do.
func (t *turn) served(ctx context.Context, answer string) error {
	if t.tool == "" {
		if err := t.reload(ctx); err != nil {
			return err
		}
	}
	return t.await(ctx, answer)
}

// measureOverflow stops devguard until the kernel's queue has run over, and takes the time from then on: a save among
// what is lost is to be served.
func (t *turn) measureOverflow(ctx context.Context) error {
	if t.tool != "devguard" || t.polls {
		return nil
	}
	t.process.Cmd.Process.Signal(syscall.SIGSTOP)
	flood := filepath.Join(t.dir, "flood.txt") // in a directory that is watched whatever the project is
	for i := range 20_000 {
		name := flood + fmt.Sprint(i%2) // events of one name in a row are one
		if err := os.WriteFile(name, []byte("x"), 0o644); err != nil {
			return err
		}
	}
	t.versions++
	want := fmt.Sprintf("r%d", t.versions)
	if err := save(t.dir, "main.go", want); err != nil {
		return err
	}
	begun, before := time.Now(), t.used()
	t.process.Cmd.Process.Signal(syscall.SIGCONT)
	if err := t.await(ctx, want+" "); err != nil {
		return err
	}
	t.add(overflow, run.Milliseconds(time.Since(begun)))
	if text, err := os.ReadFile(t.log); err != nil || !bytes.Contains(text, []byte("more file events than the kernel keeps")) {
		return errors.Join(errors.New("the kernel's queue has not run over"), err)
	}
	t.addWork(rescan, before, 1)
	return firstError(os.Remove(flood+"0"), os.Remove(flood+"1"), run.Pause(ctx, time.Second))
}

// measureCheckout takes the time from the end of git, whose own time says nothing of the contenders.
func (t *turn) measureCheckout(ctx context.Context) error {
	if err := t.git(ctx, "checkout", "-q", "-f", "two"); err != nil {
		return err
	}
	begun := time.Now()
	if err := t.served(ctx, branchTwo+" "); err != nil {
		return err
	}
	t.add(checkout, run.Milliseconds(time.Since(begun)))
	return run.Pause(ctx, time.Second)
}

func (t *turn) git(ctx context.Context, args ...string) error {
	return run.Do(ctx, t.dir, os.Environ(), append([]string{"git"}, args...)...)
}

// version is the one word of a file that is edited.
var version = regexp.MustCompile(`"(v0|r\d+|two)"`)

func save(dir, file, want string) error {
	name := filepath.Join(dir, file)
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return os.WriteFile(name, version.ReplaceAll(text, []byte(`"`+want+`"`)), 0o644)
}

// await asks by fresh connections until an answer holds the text.
func (t *turn) await(ctx context.Context, text string) error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, Proxy: nil}, Timeout: 5 * time.Second}
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); {
		if answer, err := client.Get(t.url); err == nil {
			body, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			if strings.Contains(string(body), text) {
				return nil
			}
		}
		if err := t.process.Exited(); err != nil && t.tool != "" {
			return err
		}
		if err := run.Pause(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("%q was never served\n%s", text, run.Tail(t.log))
}
