package sockets

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// state is the state of a TCP socket, as the kernel of Linux numbers it (include/net/tcp_states.h).
type state uint64

const (
	established state = 0x01
	listen      state = 0x0A
)

// row is one socket of /proc/net/tcp or /proc/net/tcp6.
type row struct {
	local, remote netip.AddrPort
	state         state
	inode         uint64
}

// parseTable calls yield for each socket of a procfs table that is in state want. Lines that it
// does not understand are passed over: the header, and whatever a later kernel may add.
func parseTable(table []byte, want state, yield func(row)) {
	for line := range bytes.Lines(table) {
		if r, ok := parseRow(line, want); ok {
			yield(r)
		}
	}
}

// parseRow reads "sl local remote st tx:rx tr:when retrnsmt uid timeout inode". It looks at the
// state first: on a busy machine most rows are not wanted, and a restart waits for this.
func parseRow(line []byte, want state) (row, bool) {
	var f [10][]byte
	n := 0
	for field := range bytes.FieldsSeq(line) {
		f[n] = field
		if n++; n == len(f) {
			break
		}
	}
	if n < len(f) {
		return row{}, false
	}
	st, ok := number(f[3], 16)
	if !ok || state(st) != want {
		return row{}, false
	}
	local, okL := parseAddr(f[1])
	remote, okR := parseAddr(f[2])
	inode, okI := number(f[9], 10)
	return row{local, remote, want, inode}, okL && okR && okI
}

// parseAddr reads "0100007F:1538": each 32-bit word of the address as the machine's own integer in
// hexadecimal, then the port.
func parseAddr(s []byte) (netip.AddrPort, bool) {
	hex, port, ok := bytes.Cut(s, []byte{':'})
	if !ok || (len(hex) != 8 && len(hex) != 32) {
		return netip.AddrPort{}, false
	}
	p, ok := number(port, 16)
	if !ok || p > 0xFFFF {
		return netip.AddrPort{}, false
	}
	var raw [16]byte
	for i := 0; i < len(hex); i += 8 {
		word, ok := number(hex[i:i+8], 16)
		if !ok {
			return netip.AddrPort{}, false
		}
		binary.NativeEndian.PutUint32(raw[i/2:], uint32(word))
	}
	addr, _ := netip.AddrFromSlice(raw[:len(hex)/2])
	return netip.AddrPortFrom(addr.Unmap(), uint16(p)), true
}

// number reads an unsigned number of base 10 or 16 without turning the bytes into a string.
func number(s []byte, base uint64) (uint64, bool) {
	if len(s) == 0 || len(s) > 20 {
		return 0, false
	}
	var n uint64
	for _, c := range s {
		d := uint64(99)
		switch {
		case c >= '0' && c <= '9':
			d = uint64(c - '0')
		case c >= 'A' && c <= 'F':
			d = uint64(c-'A') + 10
		case c >= 'a' && c <= 'f':
			d = uint64(c-'a') + 10
		}
		if d >= base || n > (1<<64-1-d)/base {
			return 0, false
		}
		n = n*base + d
	}
	return n, true
}
