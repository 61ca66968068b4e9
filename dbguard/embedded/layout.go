package embedded

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/devguard/devguard/supervisor/logline"
)

// layout is where everything of one project's server lies.
type layout struct {
	State string // Project/.devguard
	Dir   string // Project/.devguard/embedded: locks, log, record
	Home  string // data, password; for root, fetched programs too
	Cache string // fetched programs, one folder a version
}

// systemHome is where root's servers lie: outside of root's home, which the server's account cannot
// enter.
const systemHome = "/var/lib/devguard"

func newLayout(project string, account *Account) (layout, error) {
	if !filepath.IsAbs(project) {
		return layout{}, fmt.Errorf("BUG: the project folder %q is not absolute", project)
	}
	project, err := filepath.EvalSymlinks(project) // one server, by whatever path
	if err != nil {
		return layout{}, fmt.Errorf("find the project folder: %w", err)
	}
	state := filepath.Join(project, ".devguard")
	l := layout{State: state, Dir: filepath.Join(state, "embedded")}
	if account != nil {
		sum := sha256.Sum256([]byte(project))
		l.Home = filepath.Join(systemHome, hex.EncodeToString(sum[:8]))
		l.Cache = filepath.Join(l.Home, "postgres")
		return l, nil
	}
	l.Home = l.Dir
	cache, err := os.UserCacheDir()
	if err != nil { // no HOME: the project's own folder will do
		cache = l.Dir
	}
	l.Cache = filepath.Join(cache, "devguard", "postgres")
	return l, nil
}

func (l layout) share() string    { return filepath.Join(l.State, "embedded.lock") }
func (l layout) start() string    { return filepath.Join(l.Dir, "start.lock") }
func (l layout) guardian() string { return filepath.Join(l.Dir, "guardian.lock") }
func (l layout) record() string   { return filepath.Join(l.Dir, "server.json") }
func (l layout) log() string      { return filepath.Join(l.Dir, "server.log") }
func (l layout) data() string     { return filepath.Join(l.Home, "data") }
func (l layout) password() string { return filepath.Join(l.Home, "password") }

// create makes the folders. Those of root's home are 0755 whatever the umask: the server's account
// passes through them.
func (l layout) create(account *Account) error {
	if err := os.MkdirAll(l.Dir, 0o700); err != nil {
		return fmt.Errorf("make the embedded Postgres' folder: %w", err)
	}
	ignore := filepath.Join(l.State, ".gitignore")
	if _, err := os.Stat(ignore); errors.Is(err, fs.ErrNotExist) {
		if err := os.WriteFile(ignore, []byte("*\n"), 0o600); err != nil {
			return fmt.Errorf("keep %s out of git: %w", l.State, err)
		}
	}
	if account == nil {
		return nil
	}
	for _, dir := range []string{systemHome, l.Home} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make the embedded Postgres' folder: %w", err)
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			return fmt.Errorf("open the embedded Postgres' folder to the account %s: %w", account.Name, err)
		}
	}
	return nil
}

// belongs adds to an error of missing permission whose folder it probably is.
func (l layout) belongs(err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return logline.WithHint(fmt.Errorf("%w; %s belongs to another user, perhaps of a run with sudo", err, l.State), "give it to yours with chown -R, or remove it")
}

// dataMajor returns the major version that made the data; "" when there is none.
func (l layout) dataMajor() (string, error) {
	b, err := os.ReadFile(filepath.Join(l.data(), "PG_VERSION"))
	if err == nil {
		return strings.TrimSpace(string(b)), nil
	}
	entries, derr := os.ReadDir(l.data())
	if errors.Is(derr, fs.ErrNotExist) || derr == nil && len(entries) == 0 {
		return "", nil
	}
	return "", logline.WithHint(fmt.Errorf("%s is not a database cluster: %w", l.data(), err), "move the folder away to start with an empty database")
}
