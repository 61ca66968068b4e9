package build

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"runtime"
	"sync"

	"github.com/devguard/devguard/supervisor/change"
)

// errArchive: go build -o of a package that is not main writes an archive, and
// calls that success.
var errArchive = errors.New("the package is not main (it has no `package main`), so there is nothing to run")

// span is a range of bytes in a file.
type span struct{ off, size int64 }

// Digest identifies, within this process, what a binary does: its contents, with
// everything masked that is derived from the build ID. The build ID depends on the
// contents of the source files of package main, so it changes with a comment
// there; a program cannot observe the other differences that are masked either.
//
// Linking with -buildid= would also do, but then the command would not be the one
// that is promised (go version -m shows it), and the binary would have no build
// ID for the tools that want one.
func Digest(path string) (change.Digest, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return change.Digest{}, errors.New("go build succeeded but wrote no binary")
	} else if err != nil {
		return change.Digest{}, fmt.Errorf("read the binary: %w", err)
	}
	defer f.Close()
	masks, err := masks(f)
	if err != nil {
		return change.Digest{}, err
	}
	info, err := f.Stat()
	if err != nil {
		return change.Digest{}, fmt.Errorf("read the binary: %w", err)
	}
	return hash(f, info.Size(), masks)
}

// masks finds the build ID and what is derived from it.
func masks(f io.ReaderAt) ([]span, error) {
	head := make([]byte, 32<<10) // the go command looks no further for a build ID either
	n, err := f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("read the binary: %w", err)
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte("!<arch>\n")):
		return nil, errArchive
	case bytes.HasPrefix(head, []byte(elf.ELFMAG)):
		return elfMasks(f), nil
	case len(head) >= 4 && binary.LittleEndian.Uint32(head) == macho.Magic64:
		return append(machoMasks(f), textMask(head)...), nil
	}
	return textMask(head), nil
}

// elfMasks: Go's build ID and GNU's, which since Go 1.24 is a hash of it. A file
// that cannot be parsed is hashed as it is: at worst a restart too many.
func elfMasks(f io.ReaderAt) []span {
	file, err := elf.NewFile(f)
	if err != nil {
		return nil
	}
	var s []span
	for _, name := range []string{".note.go.buildid", ".note.gnu.build-id"} {
		if section := file.Section(name); section != nil {
			s = append(s, span{int64(section.Offset), int64(section.FileSize)})
		}
	}
	return s
}

// textMask: where there are no notes, the build ID is a string at the start of
// the code.
func textMask(head []byte) []span {
	start := bytes.Index(head, []byte("\xff Go build ID: \""))
	if start < 0 {
		return nil
	}
	size := bytes.Index(head[start:], []byte("\"\n \xff"))
	if size < 0 {
		return nil
	}
	return []span{{int64(start), int64(size)}}
}

// machoMasks: LC_UUID, a hash of the build ID, and the code signature, a hash of
// the pages that the build ID is on.
func machoMasks(f io.ReaderAt) []span {
	const (
		header64        = 32
		lcUUID          = 0x1b
		lcCodeSignature = 0x1d
	)
	file, err := macho.NewFile(f)
	if err != nil {
		return nil
	}
	var s []span
	off := int64(header64)
	for _, load := range file.Loads {
		raw := load.Raw()
		if len(raw) >= 16 {
			switch file.ByteOrder.Uint32(raw) {
			case lcUUID:
				s = append(s, span{off, int64(len(raw))})
			case lcCodeSignature:
				s = append(s, span{int64(file.ByteOrder.Uint32(raw[8:])), int64(file.ByteOrder.Uint32(raw[12:]))})
			}
		}
		off += int64(len(raw))
	}
	return s
}

// hashChunk is what one worker hashes at a time: large enough to be read well,
// small enough to stay in the processor's cache and to keep several workers busy.
const hashChunk = 256 << 10

// seed makes digests those of this process alone. Nobody keeps one for longer,
// and nobody can make two binaries that collide: maphash, 64 bits for a chunk, is
// enough to tell two builds apart. The time is between the build and the restart,
// and SHA-256 takes four times as long: 13 ms for a binary of 19 MB on one core.
var seed = maphash.MakeSeed()

// hash hashes chunks side by side, then their hashes.
func hash(f io.ReaderAt, size int64, masks []span) (change.Digest, error) {
	sums := make([]uint64, (size+hashChunk-1)/hashChunk)
	workers := min(runtime.GOMAXPROCS(0), len(sums))
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			buf := make([]byte, hashChunk)
			for i := w; i < len(sums) && errs[w] == nil; i += workers {
				sums[i], errs[w] = hashOne(f, int64(i)*hashChunk, buf, masks)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return change.Digest{}, fmt.Errorf("read the binary: %w", err)
	}
	all := binary.LittleEndian.AppendUint64(nil, uint64(size))
	for _, s := range sums {
		all = binary.LittleEndian.AppendUint64(all, s)
	}
	return change.DigestOf(all), nil
}

func hashOne(f io.ReaderAt, off int64, buf []byte, masks []span) (uint64, error) {
	n, err := f.ReadAt(buf, off)
	if err != nil && err != io.EOF {
		return 0, err
	}
	for _, m := range masks {
		from, to := max(m.off-off, 0), min(m.off+m.size-off, int64(n))
		if from < to {
			clear(buf[from:to])
		}
	}
	return maphash.Bytes(seed, buf[:n]), nil
}
