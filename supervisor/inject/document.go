package inject

import (
	"compress/gzip"
	"compress/zlib"
	"io"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// Document returns body with a script put in, if it is a document that gets one. body is closed
// with it.
func Document(body io.ReadCloser, script string) io.ReadCloser {
	return &document{body: body, script: script}
}

// document is a body on its way.
type document struct {
	body   io.ReadCloser
	script string

	prefix  []byte // what was read while it was undecided
	ready   []byte // what is to be given out before anything is read again
	decided bool
	err     error // of body, to be given out behind ready
}

func (d *document) Close() error { return d.body.Close() }

func (d *document) Read(p []byte) (int, error) {
	for !d.decided {
		d.look()
	}
	if len(d.ready) > 0 {
		n := copy(p, d.ready)
		d.ready = d.ready[n:]
		return n, nil
	}
	if d.err != nil {
		return 0, d.err
	}
	return d.body.Read(p)
}

// look reads a piece more of the beginning, and decides if it can.
func (d *document) look() {
	if cap(d.prefix)-len(d.prefix) < 512 {
		d.prefix = append(make([]byte, 0, 2*cap(d.prefix)+4096), d.prefix...)
	}
	n, err := d.body.Read(d.prefix[len(d.prefix):min(cap(d.prefix), MaxPrefix+512)])
	d.prefix = d.prefix[:len(d.prefix)+n]
	d.err = err
	offset, v := place(d.prefix, err != nil)
	switch v {
	case undecided:
		return
	case insert:
		d.ready = append(append(append([]byte{}, d.prefix[:offset]...), d.script...), d.prefix[offset:]...)
	case leave:
		d.ready = d.prefix
	}
	d.prefix, d.decided = nil, true
}

// Decoded returns body without its Content-Encoding; false when that is not known. body is closed
// with it, and is not read before the first Read.
func Decoded(body io.ReadCloser, encoding string) (io.ReadCloser, bool) {
	switch encoding = strings.ToLower(strings.TrimSpace(encoding)); encoding {
	case "", "identity":
		return body, true
	case "gzip", "x-gzip", "deflate", "br", "zstd":
		return &decoded{body: body, encoding: encoding}, true
	}
	return nil, false
}

// decoded is a body whose encoding is undone as it is read.
type decoded struct {
	body     io.ReadCloser
	encoding string
	plain    io.Reader // nil before the first Read
	release  func()    // nil, or to be called with Close
}

// maxWindow bounds the memory that a zstd frame may ask for, in bytes. Browsers take no more.
const maxWindow = 8 << 20

func (d *decoded) Read(p []byte) (int, error) {
	if d.plain == nil {
		if err := d.open(); err != nil {
			return 0, err
		}
	}
	return d.plain.Read(p)
}

func (d *decoded) open() (err error) {
	switch d.encoding {
	case "gzip", "x-gzip":
		d.plain, err = gzip.NewReader(d.body)
	case "deflate":
		d.plain, err = zlib.NewReader(d.body)
	case "br":
		d.plain = brotliReader{brotli.NewReader(d.body)}
	case "zstd":
		var z *zstd.Decoder
		z, err = zstd.NewReader(d.body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err == nil {
			d.plain, d.release = z, z.Close
		}
	}
	return err
}

// brotliReader ignores what follows the end of the data, as browsers do. The decoder takes a byte
// that it has looked at itself for that, when the input comes in single bytes.
type brotliReader struct{ *brotli.Reader }

func (r brotliReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && err.Error() == "brotli: excessive input" { // it has no name
		err = io.EOF
	}
	return n, err
}

func (d *decoded) Close() error {
	if d.release != nil {
		d.release()
	}
	return d.body.Close()
}
