package session

import (
	"encoding/binary"
	"fmt"
)

const (
	headLen = 5 // type byte and length, which counts itself but not the type

	// maxBody is the longest body that is accepted. A server allocates at most 1 GiB for a message
	// (MaxAllocSize in memutils.h), so a longer one is garbage or an attack.
	maxBody = 1 << 30

	// keptBuffer is the largest buffer that a session keeps between messages; larger ones are given
	// back.
	keptBuffer = 64 << 10
)

// frame is one message, or the beginning of one that is not gathered whole: body is what was
// gathered, and rest counts the bytes behind it. body aliases the input or the framer's buffer and
// is valid until the next call.
type frame struct {
	typ  byte
	body []byte
	rest int
}

// length is that of the whole body.
func (f frame) length() int { return len(f.body) + f.rest }

// appendHead appends the header of a message of type typ whose body has length bytes.
func appendHead(out []byte, typ byte, length int) []byte {
	return binary.BigEndian.AppendUint32(append(out, typ), uint32(length+4))
}

// appendFrame appends the message as it came: its header and as much of its body as f has.
func appendFrame(out []byte, f frame) []byte {
	return append(appendHead(out, f.typ, f.length()), f.body...)
}

// framer finds the messages of one direction in chunks that are cut anywhere. To undo a call of
// next, put back a copy of the framer that was taken before it: next writes to buf only behind the
// copy's length.
type framer struct {
	want func(typ byte, length int) int // how much of a body to gather, see conduct
	head [headLen]byte
	have int    // bytes in head; a frame whose beginning is not complete has have > 0
	need int    // bytes to gather in buf, known once head is complete
	buf  []byte // the gathered body of a frame that was cut by a chunk's end
	rest int    // bytes of the last frame's body that are still to be skipped
}

// partial reports whether the last chunk ended in the middle of a message.
func (r *framer) partial() bool { return r.have > 0 || r.rest > 0 }

// skip returns how many bytes of in belong to the rest of the last frame, and counts them off.
func (r *framer) skip(in []byte) int {
	n := min(r.rest, len(in))
	r.rest -= n
	return n
}

// next finds the next frame in what skip has left. n is how many bytes of in it has used: all of
// them when there are not enough for a frame yet.
func (r *framer) next(in []byte) (f frame, n int, ok bool, err error) {
	if r.have == 0 && len(in) >= headLen {
		length, err := bodyLength(in)
		if err != nil {
			return frame{}, 0, false, err
		}
		need := min(r.want(in[0], length), length)
		if len(in)-headLen >= need {
			r.rest = length - need
			return frame{in[0], in[headLen : headLen+need], r.rest}, headLen + need, true, nil
		}
	}
	return r.gather(in)
}

// gather is next for a frame that does not lie in one chunk.
func (r *framer) gather(in []byte) (f frame, n int, ok bool, err error) {
	if r.have < headLen {
		n = copy(r.head[r.have:], in)
		r.have += n
		if r.have < headLen {
			return frame{}, n, false, nil
		}
		length, err := bodyLength(r.head[:])
		if err != nil {
			return frame{}, n, false, err
		}
		r.need = min(r.want(r.head[0], length), length)
		r.buf = r.buf[:0]
		if cap(r.buf) > keptBuffer {
			r.buf = nil
		}
	}
	k := min(r.need-len(r.buf), len(in)-n)
	r.buf = append(r.buf, in[n:n+k]...)
	n += k
	if len(r.buf) < r.need {
		return frame{}, n, false, nil
	}
	length, _ := bodyLength(r.head[:])
	r.have, r.rest = 0, length-r.need
	return frame{r.head[0], r.buf, r.rest}, n, true, nil
}

// bodyLength reads the length in a header. The error says that no message can have it.
func bodyLength(head []byte) (int, error) {
	length := int64(binary.BigEndian.Uint32(head[1:])) - 4
	if length < 0 || length > maxBody {
		return 0, fmt.Errorf("message of type %q has an impossible length of %d bytes", head[0], length+4)
	}
	return int(length), nil
}
