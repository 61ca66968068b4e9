package hangup

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strconv"

	"golang.org/x/sys/unix"
)

// overTLS is the server that may speak HTTP/2 to whoever asks for it in the handshake.
const overTLS = "TLS"

// programOf returns the file that a process executes, and what that is; not ok when it is gone, or not
// ours to look at.
func programOf(pid int) (exe string, id program, ok bool) {
	exe = "/proc/" + strconv.Itoa(pid) + "/exe"
	var st unix.Stat_t
	if err := unix.Stat(exe, &st); err != nil {
		return exe, program{}, false
	}
	return exe, program{uint64(st.Dev), st.Ino, st.Size, st.Mtim.Nano(), st.Ctim.Nano()}, true
}

// serverOf goes by names of functions: the linker leaves out what is never called. Where reflection is
// used, as package text/template does, it keeps all exported methods; so that a program has the methods of
// a server says little, as has an import: clients of gRPC have them.
func serverOf(path string) string {
	file, err := elf.Open(path)
	if err != nil {
		return "" // gone, or no program of ours to look at
	}
	defer file.Close()
	names := functionNames(file)
	switch {
	case nameAt(names, "google.golang.org/grpc.NewServer") >= 0:
		return "google.golang.org/grpc"
	case nameAt(names, "golang.org/x/net/http2.(*Server).ServeConn") >= 0: // of h2c, too
		return "golang.org/x/net/http2"
	case unencrypted(file, names):
		return "SetUnencryptedHTTP2 of package net/http"
	case nameAt(names, "crypto/tls.Server") >= 0:
		return overTLS
	}
	return ""
}

// unencrypted reports whether a program has a server of net/http speak HTTP/2 without TLS, or a client. It
// calls a method for that, which is inlined; the name of what is inlined is noted wherever it is, as for
// SetHTTP1 in net/http itself. When not even that is found, inlining is switched off, or it is noted
// otherwise: then the name of the method has to do.
func unencrypted(file *elf.File, names []byte) bool {
	const does, always = "net/http.(*Protocols).SetUnencryptedHTTP2", "net/http.(*Protocols).SetHTTP1"
	const byReflection = "net/http.(*Protocols).UnencryptedHTTP2" // nobody has a pointer when he calls it
	switch {
	case nameAt(names, does) < 0:
		return false
	case nameAt(names, byReflection) < 0:
		return true
	}
	return inlines(file, nameAt(names, does)) || !inlines(file, nameAt(names, always))
}

// inlines reports whether a program has inlined the function whose name is there. An inlinedCall (symtabinl.go
// of the runtime) begins with four bytes that are zero for nearly all functions, and the name.
func inlines(file *elf.File, name int) bool {
	sought := make([]byte, 4)
	file.ByteOrder.PutUint32(sought, uint32(name))
	for _, section := range []*elf.Section{tableOf(file), file.Section(".rodata")} { // the latter before Go 1.26
		if section == nil {
			continue
		}
		data, _ := section.Data()
		for at := 0; ; at++ {
			i := bytes.Index(data[at:], sought) // not with the zeros, of which there are many
			if i < 0 {
				break
			}
			if at += i; at%4 == 0 && at >= 4 && binary.NativeEndian.Uint32(data[at-4:]) == 0 {
				return true
			}
		}
	}
	return false
}

// tableOf returns the table of a program of Go that has its functions, also of a stripped one; nil for
// any other.
func tableOf(file *elf.File) *elf.Section {
	if table := file.Section(".gopclntab"); table != nil {
		return table
	}
	return file.Section(".data.rel.ro.gopclntab") // position-independent, before Go 1.26
}

// functionNames returns the names of functions in a program of Go, each with a zero byte behind it, also
// of those that are inlined everywhere.
func functionNames(file *elf.File) []byte {
	table := tableOf(file)
	if table == nil {
		return nil
	}
	if names := namesIn(table, file.ByteOrder); names != nil {
		return names
	}
	whole, _ := table.Data()
	return whole
}

// namesIn reads the part of the table that has the names, a sixth of it: the stop waits. Nil where the
// table is none of Go 1.18 to 1.26 on 64 bits; what it begins with is pcHeader in symtab.go of the runtime.
func namesIn(table *elf.Section, order binary.ByteOrder) []byte {
	const go118, go120 = 0xfffffff0, 0xfffffff1
	const ptrSize, funcnameOffset, cuOffset, size = 7, 32, 40, 48 // the names end at cuOffset
	var header [size]byte
	if _, err := table.ReadAt(header[:], 0); err != nil {
		return nil
	}
	if magic := order.Uint32(header[:]); magic != go118 && magic != go120 || header[ptrSize] != 8 {
		return nil
	}
	from, to := order.Uint64(header[funcnameOffset:]), order.Uint64(header[cuOffset:])
	if from < size || to <= from || to > table.Size {
		return nil
	}
	names := make([]byte, to-from)
	if _, err := table.ReadAt(names, int64(from)); err != nil {
		return nil
	}
	return names
}

// nameAt returns where a name is among strings that end with a zero byte, or -1. To look for the zero
// byte in front of it as well takes four times as long where half of the bytes are zero.
func nameAt(names []byte, name string) int {
	end := []byte(name + "\x00")
	for at := 0; ; at++ {
		i := bytes.Index(names[at:], end)
		if i < 0 {
			return -1
		}
		if at += i; at == 0 || names[at-1] == 0 {
			return at
		}
	}
}
