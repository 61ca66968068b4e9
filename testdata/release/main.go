// Release makes the archives of a release, in the root of a clone:
//
//	go run ./testdata/release [-o DIR] VERSION [GOOS/GOARCH ...]
//
// Each archive has the program, LICENSE, README.md, CHANGELOG.md, completions and a manual page; SHA256SUMS has their sums.
// The same commit and the same Go make the same bytes, on any machine: nothing of the machine, the
// directory or the clock is in them. Times are those of the commit, or SOURCE_DATE_EPOCH
// (https://reproducible-builds.org/specs/source-date-epoch).
package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// platforms are those of a whole release.
var platforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64"}

const variables = "github.com/devguard/devguard/supervisor/cmd"

func main() {
	out := flag.String("o", "dist", "where the archives go")
	dirty := flag.Bool("dirty", false, "also with changes that are not committed, and of a version that is unreleased: for tests")
	flag.Parse()
	if err := release(*out, flag.Arg(0), flag.Args(), *dirty); err != nil {
		fmt.Fprintln(os.Stderr, "release: error:", err)
		os.Exit(1)
	}
}

func release(out, version string, args []string, dirty bool) error {
	wanted := platforms
	if len(args) > 1 {
		wanted = args[1:]
	}
	r, err := begin(version, dirty)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "devguard-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	if err := r.common(filepath.Join(scratch, "here")); err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	var sums strings.Builder
	for _, platform := range wanted {
		name, archive, err := r.archive(platform, filepath.Join(scratch, "there"))
		if err != nil {
			return fmt.Errorf("%s: %w", platform, err)
		}
		if err := os.WriteFile(filepath.Join(out, name), archive, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(archive), name)
	}
	fmt.Print(sums.String())
	return os.WriteFile(filepath.Join(out, "SHA256SUMS"), []byte(sums.String()), 0o644)
}

// making is one release that is made.
type making struct {
	version string // v1.2.3
	commit  string
	when    time.Time
	files   []file // of every archive, without the program
}

// begin looks whether a release can be made of what is here.
func begin(version string, dirty bool) (*making, error) {
	if !regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`).MatchString(version) {
		return nil, fmt.Errorf("the version is %q; write it like v0.1.0", version)
	}
	changes, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		return nil, fmt.Errorf("%w; start it in the root of a clone", err)
	}
	if err := listed(string(changes), version, dirty); err != nil {
		return nil, err
	}
	changed, err := output("git", "status", "--porcelain")
	if err != nil {
		return nil, err
	}
	if changed != "" && !dirty {
		return nil, errors.New("there are changes that are not committed:\n" + changed)
	}
	r := &making{version: version}
	if r.commit, err = output("git", "rev-parse", "HEAD"); err != nil {
		return nil, err
	}
	seconds := os.Getenv("SOURCE_DATE_EPOCH")
	if seconds == "" {
		if seconds, err = output("git", "log", "-1", "--format=%ct"); err != nil {
			return nil, err
		}
	}
	at, err := strconv.ParseInt(seconds, 10, 64)
	r.when = time.Unix(at, 0).UTC()
	return r, err
}

// listed returns an error unless the version has its heading in CHANGELOG.md and, but for tests, is not unreleased
// by it.
func listed(changes, version string, dirty bool) error {
	for line := range strings.Lines(changes) {
		title, ok := strings.CutPrefix(line, "## ")
		words := strings.Fields(title)
		switch {
		case !ok || len(words) == 0 || words[0] != strings.TrimPrefix(version, "v"):
		case strings.Contains(title, "(unreleased)") && !dirty:
			return fmt.Errorf("CHANGELOG.md says that %s is unreleased; write its date into the heading, and commit that", version)
		default:
			return nil
		}
	}
	return fmt.Errorf("CHANGELOG.md has no heading for %s; write one with its date, and commit that", version)
}

// common reads and makes what is the same for all platforms.
func (r *making) common(program string) error {
	if err := r.build(program, ""); err != nil {
		return err
	}
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md"} {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		r.files = append(r.files, file{name, 0o644, data})
	}
	for name, args := range map[string][]string{
		"completions/devguard.bash": {"completion", "bash"},
		"completions/_devguard":     {"completion", "zsh"},
		"completions/devguard.fish": {"completion", "fish"},
		"man/devguard.1":            {"man"},
	} {
		text, err := exec.Command(program, args...).Output()
		if err != nil {
			return fmt.Errorf("devguard %s: %w", strings.Join(args, " "), err)
		}
		r.files = append(r.files, file{name, 0o644, text})
	}
	return nil
}

// archive returns the archive for one platform, and what it is called.
func (r *making) archive(platform, program string) (string, []byte, error) {
	goos, goarch, ok := strings.Cut(platform, "/")
	if !ok {
		return "", nil, errors.New("write it like linux/amd64")
	}
	if err := r.build(program, platform); err != nil {
		return "", nil, err
	}
	data, err := os.ReadFile(program)
	if err != nil {
		return "", nil, err
	}
	folder := fmt.Sprintf("devguard_%s_%s_%s", strings.TrimPrefix(r.version, "v"), goos, goarch)
	packed, err := pack(folder, append([]file{{"devguard", 0o755, data}}, r.files...), r.when)
	return folder + ".tar.gz", packed, err
}

// build builds devguard for a platform, "" being this one.
func (r *making) build(program, platform string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", program,
		"-ldflags=-s -w -buildid= -X "+variables+".released="+r.version+" -X "+variables+".releasedCommit="+r.commit, ".")
	// What a user has set, of the environment or by go env -w, is not part of a release.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOENV=off", "GOWORK=off", "GOEXPERIMENT=",
		"GOTOOLCHAIN=local", "GOFIPS140=off", "GOAMD64=v1", "GOARM64=v8.0")
	if goos, goarch, ok := strings.Cut(platform, "/"); ok {
		cmd.Env = append(cmd.Env, "GOOS="+goos, "GOARCH="+goarch)
	}
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, said)
	}
	return nil
}

func output(command ...string) (string, error) {
	out, err := exec.Command(command[0], command[1:]...).Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", strings.Join(command, " "), err)
	}
	return string(bytes.TrimSpace(out)), nil
}
