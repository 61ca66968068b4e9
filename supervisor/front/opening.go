package front

import "bytes"

// opening is what the first bytes of a connection say of it.
type opening int

const (
	unclear  opening = iota // more bytes are needed
	isHTTP1                 // a request line of HTTP/1
	isHTTP2                 // the preface of HTTP/2 without TLS
	isOpaque                // anything else: TLS, another protocol, CONNECT
)

// maxOpening bounds what is looked at, in bytes: a request line may be that long in most servers.
// One that is longer is the app's to answer.
const maxOpening = 8 << 10

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// classify looks at the first bytes of a connection.
func classify(first []byte) opening {
	if len(first) == 0 {
		return unclear
	}
	if n := min(len(first), len(preface)); string(first[:n]) == preface[:n] {
		if n == len(preface) {
			return isHTTP2
		}
		return unclear
	}
	line, _, whole := bytes.Cut(first, []byte("\n"))
	if !whole {
		if len(line) >= maxOpening || !beginsRequest(line) {
			return isOpaque
		}
		return unclear
	}
	if isRequestLine(bytes.TrimSuffix(line, []byte("\r"))) {
		return isHTTP1
	}
	return isOpaque
}

// beginsRequest reports whether bytes may be the beginning of a request line.
func beginsRequest(b []byte) bool {
	method, target, spaced := bytes.Cut(b, []byte(" "))
	return isMethod(method) && !(spaced && len(target) > 0 && target[0] <= ' ')
}

// isRequestLine reports whether a line is METHOD TARGET HTTP/1.x. CONNECT is not one that a proxy
// of one app can do anything with.
func isRequestLine(line []byte) bool {
	words := bytes.Split(line, []byte(" "))
	return len(words) == 3 && isMethod(words[0]) && string(words[0]) != "CONNECT" && len(words[1]) > 0 &&
		(string(words[2]) == "HTTP/1.1" || string(words[2]) == "HTTP/1.0")
}

// maxMethod bounds the name of a method, in bytes; the longest that is registered has 17.
const maxMethod = 32

// isMethod reports whether bytes are a token of HTTP, which begins with a letter.
func isMethod(b []byte) bool {
	if len(b) == 0 || len(b) > maxMethod {
		return false
	}
	for i, c := range b {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || !bytes.ContainsRune([]byte("-_.!#$%&'*+^`|~0123456789"), rune(c))) {
			return false
		}
	}
	return true
}
