package front

import "encoding/binary"

// frames follows what a websocket server sends, so that it is known where a frame of ours may
// stand. It is told of every byte, and changes none (RFC 6455, section 5.2).
type frames struct {
	header  [14]byte
	have    int    // bytes of header
	payload uint64 // bytes that are left of the frame's payload
	closed  bool   // a Close frame was begun
}

const opClose = 0x8

// pass takes the next bytes into account.
func (f *frames) pass(b []byte) {
	for len(b) > 0 {
		if f.payload > 0 {
			n := min(uint64(len(b)), f.payload)
			f.payload -= n
			b = b[n:]
			continue
		}
		f.header[f.have] = b[0]
		f.have++
		b = b[1:]
		if f.have >= 2 && f.have == f.headerSize() {
			f.closed = f.closed || f.header[0]&0x0f == opClose
			f.payload, f.have = f.payloadSize(), 0
		}
	}
}

func (f *frames) headerSize() int {
	n := 2
	switch f.header[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if f.header[1]&0x80 != 0 { // a server does not mask; one that does is not our business
		n += 4
	}
	return n
}

func (f *frames) payloadSize() uint64 {
	switch n := f.header[1] & 0x7f; n {
	case 126:
		return uint64(binary.BigEndian.Uint16(f.header[2:]))
	case 127:
		return binary.BigEndian.Uint64(f.header[2:])
	default:
		return uint64(n)
	}
}

// open reports whether a frame may stand here, and the server has not closed the websocket.
func (f *frames) open() bool { return f.have == 0 && f.payload == 0 && !f.closed }

// serviceRestart is a Close frame with status 1012, as a server sends it: unmasked.
var serviceRestart = []byte{0x80 | opClose, 2, 1012 >> 8, 1012 & 0xff}
