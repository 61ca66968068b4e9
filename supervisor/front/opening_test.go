package front

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"
)

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		first string
		want  opening
	}{
		{"", unclear},
		{"G", unclear},
		{"GET /a", unclear},
		{"GET / HTTP/1.1\r", unclear},
		{"GET / HTTP/1.1\r\n", isHTTP1},
		{"GET / HTTP/1.1\n", isHTTP1},
		{"GET / HTTP/1.0\r\nHost: x", isHTTP1},
		{"M-SEARCH * HTTP/1.1\r\n", isHTTP1},
		{"get / HTTP/1.1\r\n", isHTTP1},
		{"GET http://a.example/ HTTP/1.1\r\n", isHTTP1},
		{"CONNECT a.example:443 HTTP/1.1\r\n", isOpaque},
		{"PRI", unclear},
		{preface[:len(preface)-1], unclear},
		{preface, isHTTP2},
		{preface + "\x00\x00\x00", isHTTP2},
		{"PRI * HTTP/2.0\r\n\r\nXX", isOpaque},
		{"PRINT / HTTP/1.1\r\n", isHTTP1},
		{"GET / HTTP/2.0\r\n", isOpaque},
		{"GET /\r\n", isOpaque},
		{"GET  / HTTP/1.1", isOpaque},
		{"GET / x HTTP/1.1\r\n", isOpaque},
		{"\x16\x03\x01\x02\x00", isOpaque},
		{"*1\r\n$4\r\nPING\r\n", isOpaque},
		{"PING\r\n", isOpaque},
		{"get some-key\r\n", isOpaque},
		{"\r\nGET / HTTP/1.1\r\n", isOpaque},
		{"\x00\x00\x00\x08\x04\xd2\x16\x2f", isOpaque},
		{strings.Repeat("A", maxMethod), unclear},
		{strings.Repeat("A", maxMethod+1), isOpaque},
		{"GET /" + strings.Repeat("a", maxOpening), isOpaque},
		{"GET /" + strings.Repeat("a", maxOpening-100), unclear},
	} {
		if got := classify([]byte(c.first)); got != c.want {
			t.Errorf("%.40q: %d, want %d", c.first, got, c.want)
		}
	}
}

// FuzzClassify: a verdict stays whatever comes after, what net/http reads as a request is never
// taken for something else, and what is called HTTP/1 has a request line that net/http reads.
func FuzzClassify(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	f.Add([]byte(preface))
	f.Add([]byte("\x16\x03\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		verdict := unclear
		for i := range len(b) + 1 {
			switch now := classify(b[:i]); {
			case verdict == unclear:
				verdict = now
			case now != verdict:
				t.Fatalf("%q is %d, and with a byte more %d", b[:i-1], verdict, now)
			}
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
		known := err == nil && r.Method != http.MethodConnect && r.ProtoMajor == 1 && r.ProtoMinor <= 1 && len(r.Method) <= maxMethod
		line, _, _ := bytes.Cut(b, []byte("\n"))
		if known && isMethod([]byte(r.Method)) && len(line) < maxOpening && verdict != isHTTP1 {
			t.Fatalf("%q is a request of HTTP/1, and taken for %d", b, verdict)
		}
	})
}
