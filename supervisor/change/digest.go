package change

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Digest identifies contents. The zero Digest stands for "nothing there".
type Digest [16]byte

// String returns the first 8 bytes in hexadecimal, enough for a log line.
func (d Digest) String() string { return hex.EncodeToString(d[:8]) }

// IsZero reports whether d stands for nothing at all.
func (d Digest) IsZero() bool { return d == Digest{} }

// DigestOf returns the digest of contents: the first 16 bytes of their SHA-256.
func DigestOf(contents []byte) Digest {
	sum := sha256.Sum256(contents)
	return Digest(sum[:16])
}

// Sum is the digest of a set of named digests that can be kept up to date: Add and Remove cost the
// same however many files there are, and their order does not matter. It adds SHA-256 values as
// four 64-bit lanes. Two sets that differ by accident never agree. Somebody can construct sets that
// do, but could as well edit the files. The zero Sum is empty.
type Sum struct{ lanes [4]uint64 }

// Add puts name with digest into the sum.
func (s *Sum) Add(name string, digest Digest) {
	for i, v := range lanes(name, digest) {
		s.lanes[i] += v
	}
}

// Remove takes out what Add put in. Taking out what was never put in is allowed and remembered: a
// later Add of the same cancels it.
func (s *Sum) Remove(name string, digest Digest) {
	for i, v := range lanes(name, digest) {
		s.lanes[i] -= v
	}
}

// Digest returns the digest of the set; the zero Digest for an empty one.
func (s *Sum) Digest() Digest {
	if s.lanes == [4]uint64{} {
		return Digest{}
	}
	var b [32]byte
	for i, v := range s.lanes {
		binary.LittleEndian.PutUint64(b[8*i:], v)
	}
	return DigestOf(b[:])
}

func lanes(name string, digest Digest) (out [4]uint64) {
	h := sha256.New()
	h.Write(digest[:]) // fixed length first, so that no name can imitate it
	h.Write([]byte(name))
	var b [sha256.Size]byte
	h.Sum(b[:0])
	for i := range out {
		out[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return out
}
