package inject

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

const tag = "<script src=x></script>"

// pieces reads at most so many bytes at a time.
type pieces struct {
	r    io.Reader
	size int
}

func (p pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), p.size)]) }
func (pieces) Close() error                 { return nil }

var encoders = map[string]func(io.Writer) io.WriteCloser{
	"": func(w io.Writer) io.WriteCloser {
		return struct {
			io.Writer
			io.Closer
		}{w, io.NopCloser(nil)}
	},
	"gzip":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
	"deflate": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
	"br":      func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) },
	"zstd":    func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1)); return z },
}

func encoded(t testing.TB, encoding string, in []byte) []byte {
	var out bytes.Buffer
	w := encoders[encoding](&out)
	if _, err := w.Write(in); err != nil {
		t.Fatal(err)
	}
	if encoding != "" {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func injected(t testing.TB, in []byte, encoding string, size int) []byte {
	plain, ok := Decoded(pieces{bytes.NewReader(encoded(t, encoding, in)), size}, encoding)
	if !ok {
		t.Fatalf("%s is not known", encoding)
	}
	d := Document(plain, tag)
	out, err := io.ReadAll(pieces{d, max(size, 2)})
	if err != nil {
		t.Fatalf("%q, %s, pieces of %d: %v", in, encoding, size, err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDocument(t *testing.T) {
	long := strings.Repeat("<p>hello</p>", 10000)
	for in, want := range map[string]string{
		"<!doctype html><html><head><title>": "<!doctype html><html><head>" + tag + "<title>",
		"<p>x":                               "<p>x",
		"":                                   "",
		"<html>" + long:                      "<html>" + tag + long,
		long:                                 long,
	} {
		for encoding := range encoders {
			for _, size := range []int{1, 7, 1 << 20} {
				if got := injected(t, []byte(in), encoding, size); string(got) != want {
					t.Errorf("%.40q, %s, pieces of %d: %.80q", in, encoding, size, got)
				}
			}
		}
	}
}

// TestDocumentFlows: what comes behind the place is given out as it comes.
func TestDocumentFlows(t *testing.T) {
	r, w := io.Pipe()
	d := Document(r, tag)
	read := func(n int) string {
		b := make([]byte, n)
		if _, err := io.ReadFull(d, b); err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	go w.Write([]byte("<html><head><b>"))
	if got := read(len("<html><head><b>") + len(tag)); got != "<html><head>"+tag+"<b>" {
		t.Errorf("%q", got)
	}
	go w.Write([]byte("more"))
	if got := read(4); got != "more" {
		t.Errorf("%q", got)
	}
	d.Close()
}

// TestDocumentFails: an error comes behind what was read before it, at any place.
func TestDocumentFails(t *testing.T) {
	gone := errors.New("gone")
	for in, want := range map[string]string{"": "", "<html": "<html", "<html><head>x": "<html><head>" + tag + "x"} {
		got, err := io.ReadAll(Document(io.NopCloser(io.MultiReader(strings.NewReader(in), iotest.ErrReader(gone))), tag))
		if string(got) != want || !errors.Is(err, gone) {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

func TestPrefixIsBounded(t *testing.T) {
	in := "<html><!--" + strings.Repeat("x", 2*MaxPrefix)
	r := &counter{r: strings.NewReader(in)}
	d := Document(r, tag)
	if _, err := io.ReadFull(d, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if r.n > MaxPrefix+512 {
		t.Errorf("%d bytes were read before any was given out", r.n)
	}
}

type counter struct {
	r io.Reader
	n int
}

func (c *counter) Read(b []byte) (int, error) { n, err := c.r.Read(b); c.n += n; return n, err }
func (*counter) Close() error                 { return nil }

func TestUnknownEncoding(t *testing.T) {
	for _, e := range []string{"compress", "gzip, br", "aws-chunked", "x"} {
		if _, ok := Decoded(pieces{}, e); ok {
			t.Errorf("%q is known", e)
		}
	}
}

// FuzzDocument: whatever the pieces and the encoding, the script is all that is new, and it stands
// where it does when all comes at once.
func FuzzDocument(f *testing.F) {
	f.Add([]byte("<!doctype html><html><head><title>x"), uint8(1), uint8(0))
	f.Add([]byte("\xef\xbb\xbf<!-- x --><html a='>'>x"), uint8(3), uint8(1))
	f.Add([]byte("<p>x"), uint8(255), uint8(4))
	names := []string{"", "gzip", "deflate", "br", "zstd"}
	f.Fuzz(func(t *testing.T, in []byte, size, encoding uint8) {
		got := injected(t, in, names[int(encoding)%len(names)], int(size)+1)
		if len(got) != len(in) && len(got) != len(in)+len(tag) {
			t.Fatalf("%q became %q", in, got)
		}
		offset, v := place(in, true)
		want := in
		if v == insert {
			want = append(append(append([]byte{}, in[:offset]...), tag...), in[offset:]...)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%q in pieces of %d became %q, want %q", in, int(size)+1, got, want)
		}
	})
}
