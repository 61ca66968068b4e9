// Package browse is a leaf: it has the user's browser open an address.
//
// Such an address stands in a command line for a moment, where other users of the machine can read
// it. Who opens a secret one sees to it that it is of no use to them.
package browse

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// patience is how long a program that opens addresses has to fail. xdg-open, open and their like end
// at once, well or not, unless they become the browser. A guess.
const patience = 2 * time.Second

// Open opens url. It returns within two seconds; an error says why a person has to do it. The browser
// is in a session of its own, away from our terminal, and outlives us. getenv is os.Getenv.
func Open(url string, getenv func(string) string) error { return openAs(os.Geteuid(), url, getenv) }

func openAs(uid int, url string, getenv func(string) string) error {
	name, args, err := opener(runtime.GOOS, uid, getenv)
	if err != nil {
		return err
	}
	cmd := exec.Command(name, append(args, url)...)
	apart(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("no browser can be opened: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // ends with the browser, which may outlive us
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	case <-time.After(patience):
	}
	return nil
}

// opener is the program that opens addresses, and its first arguments. Root's browser is not opened:
// most refuse to run. Without a display xdg-open would put a text browser on our terminal.
func opener(system string, uid int, getenv func(string) string) (name string, args []string, err error) {
	switch {
	case system == "windows":
		return "rundll32", []string{"url.dll,FileProtocolHandler"}, nil
	case uid == 0:
		return "", nil, errors.New("root has no browser")
	case system == "darwin":
		return "open", nil, nil
	case getenv("DISPLAY") == "" && getenv("WAYLAND_DISPLAY") == "":
		return "", nil, errors.New("there is no display")
	}
	return "xdg-open", nil, nil
}
