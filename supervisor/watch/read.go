package watch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/devguard/devguard/supervisor/change"
	"github.com/devguard/devguard/supervisor/classify"
)

// fileState is the state of one file, as it was found.
type fileState struct {
	stamp   stamp
	present bool // a regular file, perhaps behind symbolic links
	link    bool // the name itself is a symbolic link
	dir     bool // a directory has the name
	racy    bool // a later write could leave the same stamp: read it again
	sum     change.Digest
	head    change.Digest // of what `go list` depends on; zero for a file that is not of the graph
	same    bool          // the stamp is the known one, so the file was not read
}

// target is what to look at: a name, what the file is to the graph, and its known state.
type target struct {
	name  string
	class classify.Class
	known fileState
}

// reader looks at files. It is frozen: several goroutines may use it.
type reader struct {
	header func(name string, src []byte) change.Digest
	polled bool // files may change from elsewhere, so that what the kernel keeps of them may be old
	told   func(name string)
}

// maxHash is the size from which a file that only the running app reads, or a library, is known by
// size and time instead of contents: nobody wants a database dump in the tree to be read at each
// start.
const maxHash = 64 << 20

// lookAll looks at files, on several processors when there are many.
func (r reader) lookAll(ctx context.Context, what []target) []fileState {
	out := make([]fileState, len(what))
	var next atomic.Int64
	work := func() {
		for ctx.Err() == nil {
			i := int(next.Add(1)) - 1
			if i >= len(what) {
				return
			}
			out[i] = r.look(ctx, what[i])
		}
	}
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), 4, len(what)/8) {
		wg.Go(work)
	}
	work()
	wg.Wait()
	return out
}

// look looks at one file: at its stamp, and at its contents only when the stamp is not the known
// one, or racy. What it returns is of no use when ctx has ended.
func (r reader) look(ctx context.Context, g target) fileState {
	if r.told != nil {
		r.told(g.name)
	}
	gone := r.polled && errors.Is(freshen(g.name), fs.ErrNotExist) // then stat may still find it
	info, err := os.Lstat(g.name)
	link := err == nil && info.Mode()&fs.ModeSymlink != 0
	switch {
	case gone:
		err = fs.ErrNotExist
	case link:
		info, err = os.Stat(g.name)
	}
	if err != nil || !info.Mode().IsRegular() {
		return fileState{link: link, dir: err == nil && info.IsDir()}
	}
	s := stampOf(g.name, info)
	if k := g.known; k.present && !k.racy && k.stamp == s && k.link == link {
		k.same = true
		return k
	}
	return r.read(ctx, g, link, s)
}

func (r reader) read(ctx context.Context, g target, link bool, s stamp) fileState {
	out := fileState{link: link, present: true, stamp: s}
	if big(g.class, s.size) {
		out.sum = stampDigest(s)
		if g.class.Role != 0 {
			out.head = presence
		}
		return out
	}
	began := time.Now()
	f, err := openRegular(g.name)
	if errors.Is(err, fs.ErrNotExist) {
		return fileState{link: link}
	}
	if err == nil {
		defer f.Close()
		var info fs.FileInfo
		if info, err = f.Stat(); err == nil {
			out.stamp = stampOf(g.name, info) // of what is read: the name may have another file by now
			out.sum, out.head, err = r.digests(ctx, g, f)
		}
	}
	if err != nil { // no permission, a bad disk: a state like any other, as long as the error is the same
		out.sum = change.DigestOf([]byte("unreadable: " + err.Error()))
		out.head = out.sum
	}
	out.racy = out.stamp.racy(began)
	return out
}

func (r reader) digests(ctx context.Context, g target, f io.Reader) (sum, head change.Digest, err error) {
	if hasHeader(g.class.Role) {
		var src bytes.Buffer
		if _, err := io.Copy(&src, contextReader{ctx, f}); err != nil {
			return sum, head, err
		}
		sum = change.DigestOf(src.Bytes())
		return sum, r.headOf(g.name, src.Bytes(), sum), nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, contextReader{ctx, f}); err != nil {
		return sum, head, err
	}
	sum = change.Digest(h.Sum(nil)[:len(sum)])
	switch g.class.Role {
	case 0:
	case classify.Module:
		head = sum
	default:
		head = presence
	}
	return sum, head, nil
}

// presence is the head of a file of which `go list` only wants to know that it is there.
var presence = change.DigestOf([]byte("exists"))

func (r reader) headOf(name string, src []byte, sum change.Digest) change.Digest {
	if r.header == nil {
		return sum
	}
	return r.header(name, src)
}

// hasHeader reports whether the graph depends on what a file says of others.
func hasHeader(role classify.Role) bool {
	switch role {
	case classify.GoFile, classify.Excluded, classify.Test, classify.OtherSource, classify.Included:
		return true
	}
	return false
}

func onlySought(c classify.Class) bool {
	return c.Sought() && c.Role == 0 && len(c.Hooks) == 0 && !c.Env && !c.Config
}

// big reports whether a file of that size is known by size and time instead of contents.
func big(c classify.Class, size int64) bool {
	return size > maxHash && (onlySought(c) || c.Role == classify.Library)
}

func stampDigest(s stamp) change.Digest {
	b := binary.LittleEndian.AppendUint64(nil, uint64(s.size))
	b = binary.LittleEndian.AppendUint64(b, uint64(s.mtime))
	return change.DigestOf(b)
}

// contextReader ends a long read when its context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// isDir reports whether path leads to a directory.
func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// slashRel names path relative to base, with slashes.
func slashRel(base, path string) string {
	rel, err := filepath.Rel(base, path)
	if err != nil {
		return filepath.ToSlash(path)
	}
	return filepath.ToSlash(rel)
}
