package e2e_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/testneed"
)

// thorough takes a second to end, and says when it is told to again meanwhile.
const thorough = `package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	asked := make(chan os.Signal, 9)
	signal.Notify(asked, os.Interrupt, syscall.SIGTERM)
	fmt.Println("hello")
	<-asked
	for end := time.After(time.Second); ; {
		select {
		case <-asked:
			fmt.Printf("asked again at %d.\n", time.Now().UnixMilli())
		case <-end:
			fmt.Println("goodbye")
			return
		}
	}
}
`

// TestSignalTwiceIsOnePress: who starts devguard passes on what the terminal has sent already.
func TestSignalTwiceIsOnePress(t *testing.T) {
	for name, again := range map[string]syscall.Signal{"the same": syscall.SIGINT, "foreman's": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := run(t, project(t, map[string]string{"main.go": thorough}), nil)
			d.waitOutput("hello")
			d.cmd.Process.Signal(syscall.SIGINT)
			stopping := d.wait(0, "instance stopping", nil).when(t)
			d.cmd.Process.Signal(again)
			if later := time.Since(stopping); later > 250*time.Millisecond { // it has a way to go still
				t.Logf("passed on after %v: nothing tells that from a second press", later)
				return
			}
			if code := d.waitEnd(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			d.waitOutput("goodbye")
		})
	}
}

// TestCtrlCThroughNpm: npm and concurrently pass on the Ctrl-C that devguard has from the terminal
// itself. The app has its grace all the same.
func TestCtrlCThroughNpm(t *testing.T) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		testneed.Skip(t, "npm", err)
	}
	concurrently := filepath.Join(npmInstalled(t, "concurrently", "9.2.1"), "node_modules", ".bin", "concurrently")
	for name, script := range map[string]func(devguard string) string{
		"npm":                  func(devguard string) string { return devguard },
		"npm and concurrently": func(devguard string) string { return concurrently + " --raw '" + devguard + "'" },
		"concurrently of two":  func(devguard string) string { return concurrently + " --raw '" + devguard + "' 'sleep 3600'" },
	} {
		t.Run(name, func(t *testing.T) {
			term := newTerminal(t)
			dir := project(t, map[string]string{"main.go": thorough})
			d := term.on(prepare(t, dir, nil))
			write(t, filepath.Join(dir, "package.json"),
				fmt.Sprintf(`{"private": true, "scripts": {"dev": %q}}`, script(strings.Join(d.cmd.Args, " "))))
			d.cmd.Path, d.cmd.Args = npm, []string{npm, "run", "dev"}
			d.start()
			d.ready()
			term.typed("\x03")
			d.waitEnd() // with a code of npm's
			stopping := d.wait(0, "instance stopping", nil).when(t)
			if later := d.askedAgain().Sub(stopping); later > 450*time.Millisecond {
				t.Logf("passed on after %v: nothing tells that from a second press", later)
				return
			}
			d.waitOutput("goodbye")
			if l := d.wait(0, "instance exited", nil); l.int("code") != 0 {
				t.Errorf("it was killed: %s", l.Raw)
			}
		})
	}
}

// askedAgain is when the thorough app was told again to end: concurrently tells the whole tree. Zero
// when it was not.
func (d *devguard) askedAgain() (at time.Time) {
	_, said, _ := strings.Cut(d.out.String(), "asked again at ")
	text, _, _ := strings.Cut(said, ".")
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		at = time.UnixMilli(ms)
	}
	return at
}
