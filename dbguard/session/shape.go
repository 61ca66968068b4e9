package session

import (
	"bytes"
	"hash/maphash"
)

// shape is a digest of a RowDescription, which itself takes up to 130 kB (1,600 columns) for each
// of thousands of statements. Two that differ have the same digest once in 2^63, and nobody can
// make them so: the seed is random.
type shape uint64

const noRows shape = 1 // NoData

var shapeSeed = maphash.MakeSeed()

// shapeOf returns the shape of a RowDescription, of NoData when body is empty. It leaves out the
// tables that columns are of and their numbers there, as equalTupleDescs does: a client does not
// decode by them.
func shapeOf(body []byte) shape {
	if len(body) == 0 {
		return noRows
	}
	var h maphash.Hash
	h.SetSeed(shapeSeed)
	columns := body[min(2, len(body)):]
	for h.Write(body[:len(body)-len(columns)]); len(columns) > 0; {
		// name, table, attribute number; then type, size, typmod, format
		end := bytes.IndexByte(columns, 0) + 1
		if end == 0 || len(columns) < end+18 {
			h.Write(columns)
			break
		}
		h.Write(columns[:end])
		h.Write(columns[end+6 : end+18])
		columns = columns[end+18:]
	}
	return shape(h.Sum64() | 1<<63)
}
