package build

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// LinkedBy is the file in Request.Objects that says what was linked, as the linker reads it.
const LinkedBy = "importcfg.link"

// keepObjects moves the archives that a build has compiled out of its work directory, and writes what
// it has linked by with their new names. Those that came from the build cache stay there.
func keepObjects(tmp, dir string) error {
	if err := moveObjects(tmp, dir); err != nil {
		return fmt.Errorf("keep what the build has linked: %w", err)
	}
	return nil
}

func moveObjects(tmp, dir string) error {
	names, err := fs.Glob(os.DirFS(tmp), "go-build*/b001/"+LinkedBy)
	if err != nil || len(names) != 1 {
		return fmt.Errorf("%d files %s", len(names), LinkedBy)
	}
	cfg, err := os.ReadFile(filepath.Join(tmp, filepath.FromSlash(names[0])))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	inWork := filepath.Join(tmp, "go-build")
	var out bytes.Buffer
	for line := range strings.Lines(string(cfg)) {
		path, archive, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if strings.HasPrefix(path, "packagefile ") && strings.HasPrefix(archive, inWork) {
			kept := filepath.Join(dir, filepath.Base(filepath.Dir(archive))+".a")
			if err := os.Rename(archive, kept); err != nil {
				return err
			}
			line = path + "=" + kept + "\n"
		}
		out.WriteString(line)
	}
	return os.WriteFile(filepath.Join(dir, LinkedBy), out.Bytes(), 0o600)
}
