package embedded

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"

	"github.com/devguard/devguard/supervisor/logline"
)

// Account is the account that the server runs as when devguard is run by root, which PostgreSQL
// refuses. A nil *Account stands for the caller's own account; its methods do nothing.
type Account struct {
	Name     string
	UID, GID int
}

// ServerAccount returns nil for an ordinary user; for root it returns the account postgres, else
// nobody. The account must have a name: initdb looks up its own uid and gives up without one.
func ServerAccount() (*Account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	if runtime.GOOS == "darwin" {
		return nil, logline.WithHint(errors.New("PostgreSQL refuses to run as root"), "start devguard without sudo")
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil && uid != 0 {
			return &Account{Name: name, UID: uid, GID: gid}, nil
		}
	}
	return nil, logline.WithHint(errors.New("PostgreSQL refuses to run as root, and this machine has neither an account postgres nor nobody"),
		"run devguard as an ordinary user, or add an account with `useradd --system postgres`")
}

// Apply makes cmd run as the account.
func (a *Account) Apply(cmd *exec.Cmd) {
	if a != nil {
		setCredential(cmd, a)
	}
}

// Own makes the account the owner of path.
func (a *Account) Own(path string) error {
	if a == nil {
		return nil
	}
	return os.Chown(path, a.UID, a.GID)
}
