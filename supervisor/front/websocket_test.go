package front

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
)

// frame makes one as a server sends it.
func frame(op byte, payload []byte) []byte {
	b := []byte{0x80 | op}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, payload...)
}

func TestFrames(t *testing.T) {
	text := frame(1, []byte("hello"))
	masked := []byte{0x81, 0x82, 1, 2, 3, 4, 5, 6}
	for name, c := range map[string]struct {
		sent []byte
		open bool
	}{
		"nothing":                      {nil, true},
		"one frame":                    {text, true},
		"an empty frame":               {frame(9, nil), true},
		"a byte of a header":           {text[:1], false},
		"a header":                     {text[:2], false},
		"all but a byte":               {text[:len(text)-1], false},
		"two bytes of length":          {frame(2, make([]byte, 126)), true},
		"the same without the last":    {frame(2, make([]byte, 126))[:129], false},
		"eight bytes of length":        {frame(2, make([]byte, 70000)), true},
		"within eight bytes of length": {frame(2, make([]byte, 70000))[:9], false},
		"a masked one":                 {masked, true},
		"a part of a masked one":       {masked[:7], false},
		"closed":                       {append(bytes.Clone(text), frame(8, []byte{3, 232})...), false},
		"half closed":                  {append(bytes.Clone(text), frame(8, []byte{3, 232})[:3]...), false},
	} {
		for _, size := range []int{1, 3, len(c.sent) + 1} {
			var f frames
			for b := c.sent; len(b) > 0; b = b[min(size, len(b)):] {
				f.pass(b[:min(size, len(b))])
			}
			if f.open() != c.open {
				t.Errorf("%s, in pieces of %d: open %v, want %v", name, size, f.open(), c.open)
			}
		}
	}
}

func TestServiceRestart(t *testing.T) {
	if want := frame(8, []byte{0x03, 0xf4}); !bytes.Equal(serviceRestart, want) {
		t.Errorf("%x, want %x", serviceRestart, want)
	}
}

// TestWebsocketOfAnAppThatIsGone: a client that goes on talking gets its Close frame all the same.
func TestWebsocketOfAnAppThatIsGone(t *testing.T) {
	app, broken := net.Pipe()
	broken.Close() // each Write fails, and Read ends
	u := &upgraded{conn: app, websocket: true, answer: &answer{}}
	if n, err := io.Copy(u, strings.NewReader("hello")); n != 5 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	if got, err := io.ReadAll(u); string(got) != string(serviceRestart) || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
