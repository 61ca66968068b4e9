package hook

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"

	"github.com/devguard/devguard/supervisor/osproc"
)

// hinted is an error that knows what the user can do next.
type hinted struct {
	msg, hint string
	err       error
}

func (e *hinted) Error() string { return e.msg }
func (e *hinted) Hint() string  { return e.hint }
func (e *hinted) Unwrap() error { return e.err }

// notFound is the error for a program that is not there. It lists PATH: it is
// most often not the one that the user thinks of.
func notFound(spec Spec, program string, env []string) error {
	e := &hinted{err: exec.ErrNotFound, hint: install(program)}
	if strings.ContainsRune(program, '/') {
		e.msg = fmt.Sprintf("hook %s: cannot run %s: there is no such program, or it is not executable", spec.Name, program)
		e.hint = "a relative path starts at the hook's directory, " + orHere(spec.Dir)
		return e
	}
	path := variable(env, "PATH")
	e.msg = fmt.Sprintf("hook %s: command not found: %s", spec.Name, program)
	if path == "" {
		e.hint += "; PATH is empty"
	} else {
		e.hint += "; PATH is " + path
	}
	return e
}

// shellError is the error for what the shell could not run: 127 not found, 126
// not executable (POSIX, "Exit Status for Commands").
func shellError(spec Spec, code int) error {
	program := spec.named()
	env := spec.environ()
	if code == 126 {
		return &hinted{
			msg:  fmt.Sprintf("hook %s: permission denied: its command is not executable (exit code 126)", spec.Name),
			hint: "the hook's output above names the file; chmod +x makes it executable",
			err:  fs.ErrPermission,
		}
	}
	if _, err := lookPath(program, spec.Dir, env); err != nil && program != "" {
		return notFound(spec, program, env)
	}
	return &hinted{ // some later command of the line; sh has named it
		msg:  fmt.Sprintf("hook %s: command not found (exit code 127)", spec.Name),
		hint: "the hook's output above names it; PATH is " + variable(env, "PATH"),
		err:  exec.ErrNotFound,
	}
}

// startError is the error for a program that was found and did not start.
func startError(spec Spec, err error) error {
	if errors.Is(err, osproc.ErrNoGuard) {
		return &hinted{
			msg:  fmt.Sprintf("start hook %s: %v", spec.Name, err),
			hint: "hooks need a POSIX shell named sh on PATH",
			err:  err,
		}
	}
	return fmt.Errorf("start hook %s: %w", spec.Name, err)
}

// install says how to get a program that hooks often name.
func install(program string) string {
	switch program {
	case "npx", "npm", "node":
		return program + " comes with Node.js: install it, or add its directory to PATH"
	case "sh":
		return "hooks written as a string are run by sh: install a shell, or write run as a list"
	case "go":
		return "install Go, or add its bin directory to PATH"
	case "sqlc", "templ", "buf", "goose", "migrate":
		return "install " + program + "; if `go install` did, add $(go env GOPATH)/bin to PATH"
	}
	return "install " + program + ", or add its directory to PATH"
}

func orHere(dir string) string {
	if dir == "" {
		return "."
	}
	return dir
}
