package supervisor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/devguard/devguard/supervisor/fastbuild"
	"github.com/devguard/devguard/supervisor/reload"
)

// keepDifference keeps both programs, and the plan that the fast one was made by, in a fresh directory
// below base. What cannot be kept does not keep the rest from it; kept is "" when nothing is.
func keepDifference(base string, e reload.Verify, byGo string, plan *fastbuild.Plan) (kept string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("keep the programs that differ: %w", err)
		}
	}()
	if err := os.MkdirAll(base, 0o700); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(base, fmt.Sprintf("differs-%d-", e.Gen))
	if err != nil {
		return "", err
	}
	for name, program := range map[string]string{"fast": e.Path, "go": byGo} {
		err = errors.Join(err, linkOrCopy(program, filepath.Join(dir, name)))
	}
	if plan != nil {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, "plan.json"), plan.JSON(), 0o600))
	}
	return dir, err
}

// linkOrCopy gives a program another name; some file systems have one name a file.
func linkOrCopy(program, name string) (err error) {
	if os.Link(program, name) == nil {
		return nil
	}
	from, err := os.Open(program)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o700)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	_, err = io.Copy(to, from)
	return err
}
