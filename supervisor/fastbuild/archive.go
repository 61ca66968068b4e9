package fastbuild

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// exportOf identifies what a package exports: all that a compilation of an importer reads of its
// archive. The lines before that have the build ID, which nobody reads.
//
// It is the first entry of the archive. (cmd/internal/archive, cmd/compile/internal/gc/obj.go)
func exportOf(archive string) (digest, error) {
	f, err := os.Open(archive)
	if err != nil {
		return digest{}, err
	}
	defer f.Close()
	const magic, headerSize = "!<arch>\n", 60
	head := make([]byte, len(magic)+headerSize)
	if _, err := io.ReadFull(f, head); err != nil {
		return digest{}, fmt.Errorf("read %s: %w", archive, err)
	}
	header := string(head[len(magic):])
	size, err := strconv.ParseInt(strings.TrimSpace(header[48:58]), 10, 64)
	if !strings.HasPrefix(string(head), magic) || strings.TrimSpace(header[:16]) != "__.PKGDEF" || err != nil || size > maxExport {
		return digest{}, fmt.Errorf("read %s: not an archive of the compiler", archive)
	}
	definition := make([]byte, size)
	if _, err := io.ReadFull(f, definition); err != nil {
		return digest{}, fmt.Errorf("read %s: %w", archive, err)
	}
	_, export, ok := bytes.Cut(definition, []byte("\n$$B\n"))
	if !ok {
		return digest{}, errNoExport
	}
	return sha256.Sum256(export), nil
}

// maxExport is far more than any package has; a damaged size must not take the memory.
const maxExport = 1 << 30

var errNoExport = errors.New("an archive has no export data")
