package fastbuild

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
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

// sameArchive reports whether two archives have the same in them but for build IDs, which the linker
// does not read.
func sameArchive(a, b string) (bool, error) {
	one, err := entries(a)
	if err != nil {
		return false, err
	}
	two, err := entries(b)
	return err == nil && slices.EqualFunc(one, two, bytes.Equal), err
}

// entries are the parts of an archive, without their build IDs.
func entries(archive string) ([][]byte, error) {
	text, err := os.ReadFile(archive)
	if err != nil {
		return nil, err
	}
	rest, ok := bytes.CutPrefix(text, []byte("!<arch>\n"))
	var all [][]byte
	for ok && len(rest) > 0 {
		const header = 60
		if len(rest) < header {
			ok = false
			break
		}
		size, err := strconv.Atoi(strings.TrimSpace(string(rest[48:58])))
		if ok = err == nil && size >= 0 && size <= len(rest)-header; !ok {
			break
		}
		name, body := rest[:16], rest[header:header+size]
		if id := buildID.FindIndex(body[:min(size, 1<<10)]); id != nil {
			all, body = append(all, body[:id[0]]), body[id[1]:]
		}
		all = append(all, name, body)
		rest = rest[min(len(rest), header+size+size%2):]
	}
	if !ok {
		return nil, fmt.Errorf("read %s: not an archive of the compiler", archive)
	}
	return all, nil
}

// buildID is a line near the start of each part (cmd/internal/obj, WriteObjFile; cmd/compile/internal/gc,
// printObjHeader).
var buildID = regexp.MustCompile(`(?m)^build id ".*"\n`)
