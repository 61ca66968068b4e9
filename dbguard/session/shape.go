package session

import (
	"bytes"
	"hash/maphash"
)

// shape is a digest of a RowDescription: 1,600 columns would be 130 kB for each of
// thousands of statements. Two that differ have the same once in 2^63, by chance:
// the seed is random.
type shape uint64

const noRows shape = 1 // NoData

var shapeSeed = maphash.MakeSeed()

// shapeOf leaves out the columns' tables and their numbers there, as equalTupleDescs
// does: a client is told them and does not decode by them.
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
