package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Binaries is one PostgreSQL installation that can make and serve a cluster.
type Binaries struct {
	Dir     string // holds initdb and postgres
	Version string // as `postgres --version` says it, such as "15.18"
	Major   int
}

// Path returns the path of a program of the installation.
func (b Binaries) Path(program string) string { return filepath.Join(b.Dir, program) }

// ErrNoBinaries is what Find's callers report when nothing was found.
var ErrNoBinaries = errors.New("no PostgreSQL server programs (initdb, postgres) on this machine")

// versioned are the folders where distributions keep the server programs, which they leave out of
// PATH because several major versions live side by side.
var versioned = []string{
	"/usr/lib/postgresql/*/bin",                               // Debian, Ubuntu
	"/usr/pgsql-*/bin",                                        // RHEL, Fedora (PGDG)
	"/usr/libexec/postgresql*",                                // Alpine
	"/opt/homebrew/opt/postgresql@*/bin",                      // Homebrew on Apple silicon
	"/usr/local/opt/postgresql@*/bin",                         // Homebrew on Intel
	"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",         // Homebrew on Linux
	"/Applications/Postgres.app/Contents/Versions/[0-9]*/bin", // Postgres.app
	"/run/current-system/sw/bin",                              // NixOS
	"/nix/var/nix/profiles/default/bin",                       // Nix, all users
	"~/.nix-profile/bin",                                      // Nix, one user
}

// Find lists the installations of this machine that account can run, those on PATH first, then the
// distributions' folders with the newest first. A nil account is the caller's own. lookPath is
// exec.LookPath, or a test's.
func Find(ctx context.Context, account *Account, lookPath func(string) (string, error)) []Binaries {
	found := probeAll(ctx, account, onPath(lookPath))
	rest := probeAll(ctx, account, inFolders())
	slices.SortStableFunc(rest, func(a, b Binaries) int { return b.Major - a.Major })
	var out []Binaries
	for _, b := range append(found, rest...) {
		if !slices.ContainsFunc(out, func(o Binaries) bool { return o.Dir == b.Dir }) {
			out = append(out, b)
		}
	}
	return out
}

// onPath follows the links of PATH to the folder of the real program, because initdb looks for its
// siblings beside itself.
func onPath(lookPath func(string) (string, error)) []string {
	var dirs []string
	for _, program := range []string{"postgres", "initdb", "pg_ctl"} {
		path, err := lookPath(program)
		if err != nil {
			continue
		}
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	return dirs
}

func inFolders() []string {
	var dirs []string
	home, _ := os.UserHomeDir()
	for _, pattern := range versioned {
		if rest, ok := strings.CutPrefix(pattern, "~"); ok {
			pattern = home + rest
		}
		match, _ := filepath.Glob(pattern)
		dirs = append(dirs, match...)
	}
	return dirs
}

func probeAll(ctx context.Context, account *Account, dirs []string) []Binaries {
	var out []Binaries
	for _, dir := range dirs {
		if b, err := probe(ctx, account, dir); err == nil {
			out = append(out, b)
		}
	}
	return out
}

// probe asks the programs of dir for their version, as the account that will run them: a folder
// under root's home or on a noexec mount fails here.
func probe(ctx context.Context, account *Account, dir string) (Binaries, error) {
	b := Binaries{Dir: dir}
	if _, err := os.Stat(b.Path("initdb" + exeSuffix)); err != nil {
		return b, fmt.Errorf("%s is not a server installation: %w", dir, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second) // a guess; a cold disk takes one
	defer cancel()
	cmd := exec.CommandContext(ctx, b.Path("postgres"+exeSuffix), "--version")
	cmd.Dir = "/"
	account.Apply(cmd)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return b, fmt.Errorf("%s cannot be run: %w: %s", cmd.Path, err, strings.TrimSpace(string(out)))
	}
	b.Version, b.Major, err = parseVersion(string(out))
	return b, err
}

// parseVersion reads "postgres (PostgreSQL) 15.18 (Debian ...)", also "18beta1".
func parseVersion(s string) (version string, major int, err error) {
	_, rest, ok := strings.Cut(s, "(PostgreSQL) ")
	fields := strings.Fields(rest)
	if !ok || len(fields) == 0 {
		return "", 0, fmt.Errorf("no PostgreSQL version in %q", s)
	}
	digits := fields[0]
	if i := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		digits = digits[:i]
	}
	major, err = strconv.Atoi(digits)
	if err != nil {
		return "", 0, fmt.Errorf("no PostgreSQL version in %q", s)
	}
	return fields[0], major, nil
}

// installCommand is what a person types to get the server programs.
func installCommand() string {
	if runtime.GOOS == "darwin" {
		return "brew install postgresql@17"
	}
	for _, p := range []struct{ tool, command string }{
		{"apt-get", "sudo apt-get install -y postgresql"},
		{"dnf", "sudo dnf install -y postgresql-server"},
		{"apk", "sudo apk add postgresql"},
		{"pacman", "sudo pacman -S postgresql"},
		{"zypper", "sudo zypper install postgresql-server"},
	} {
		if _, err := exec.LookPath(p.tool); err == nil {
			return p.command
		}
	}
	return "install PostgreSQL with your package manager"
}
