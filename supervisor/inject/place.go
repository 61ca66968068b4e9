package inject

import "bytes"

// MaxPrefix bounds the beginning of a document that is looked at, in bytes. A document with more
// comments than that before its head gets no script.
const MaxPrefix = 64 << 10

// verdict says what is known of a document by its beginning.
type verdict int

const (
	undecided verdict = iota // more bytes are needed
	insert                   // the script stands at the offset
	leave                    // it is no document that gets one
)

// place looks at the beginning of a document, and returns where the script stands: behind the tag
// of the head, or of the html where there is none, or the doctype. whole says that nothing follows.
func place(b []byte, whole bool) (offset int, v verdict) {
	at := 0
	if bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) {
		at = 3
	} else if !whole && len(b) < 3 && bytes.HasPrefix([]byte("\xef\xbb\xbf"), b) {
		return 0, undecided
	}
	end := 0 // of the last of the tags that were found; 0 for none
	for next := doctype; ; {
		t := nextToken(b, at)
		switch {
		case t.kind == unfinished && !whole && len(b) <= MaxPrefix:
			return 0, undecided
		case t.kind == unfinished, t.kind == other, t.kind < next:
			return placeAfter(end)
		case t.kind == comment:
		default:
			end, next = t.end, t.kind+1
			if t.kind == head {
				return end, insert
			}
		}
		at = t.end
	}
}

// placeAfter decides at the first thing that is none of the tags.
func placeAfter(end int) (int, verdict) {
	if end == 0 {
		return 0, leave
	}
	return end, insert
}

// kind is what a document may begin with, in the order in which it does.
type kind int

const (
	doctype kind = iota + 1
	html
	head
	comment
	other
	unfinished // the bytes may become anything
)

// tags are how the first three begin.
var tags = [...]string{"<!doctype", "<html", "<head"}

// token is one of these, and where it ends.
type token struct {
	kind kind
	end  int
}

// nextToken reads the token that begins behind the white space at an offset.
func nextToken(b []byte, at int) token {
	for at < len(b) && isSpace(b[at]) {
		at++
	}
	rest := b[at:]
	switch {
	case len(rest) == 0:
		return token{unfinished, at}
	case rest[0] != '<':
		return token{other, at}
	}
	if hasPrefixFold(rest, "<!--") {
		return commentAt(b, at)
	}
	for i, name := range tags {
		if len(rest) > len(name) && hasPrefixFold(rest, name) && endsName(rest[len(name)]) {
			return tagAt(b, at, at+len(name), doctype+kind(i))
		}
	}
	for _, name := range []string{"<!--", "<!doctype ", "<html ", "<head "} {
		if len(rest) < len(name) && hasPrefixFold([]byte(name), string(rest)) {
			return token{unfinished, at}
		}
	}
	return token{other, at}
}

// commentAt reads a comment. HTML has odd ways to end one (<!-->): what is not plain is not read.
func commentAt(b []byte, at int) token {
	body := b[at+len("<!--"):]
	if bytes.HasPrefix(body, []byte(">")) || bytes.HasPrefix(body, []byte("->")) {
		return token{other, at}
	}
	plain, odd := bytes.Index(body, []byte("-->")), bytes.Index(body, []byte("--!>"))
	switch {
	case odd >= 0 && (plain < 0 || odd < plain):
		return token{other, at}
	case plain < 0:
		return token{unfinished, at}
	}
	return token{comment, at + len("<!--") + plain + len("-->")}
}

// tagAt reads a tag from behind its name to its end. A doctype of something else than HTML is
// other.
func tagAt(b []byte, at, from int, k kind) token {
	end := tagEnd(b[from:], k)
	if end < 0 {
		return token{unfinished, at}
	}
	inner := b[from : from+end]
	if k == doctype && !hasPrefixFold(bytes.TrimSpace(inner), "html") {
		return token{other, at}
	}
	return token{k, from + end + 1}
}

// tagEnd returns the offset of the > that ends a tag; -1 when it is not there yet. One in the
// quotes of a value does not; a doctype has no values.
func tagEnd(b []byte, k kind) int {
	var quote, before byte
	for i, c := range b {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '>':
			return i
		case k != doctype && before == '=' && (c == '"' || c == '\''):
			quote = c
		}
		if !isSpace(c) {
			before = c
		}
	}
	return -1
}

func endsName(c byte) bool { return isSpace(c) || c == '>' || c == '/' }

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' }

func hasPrefixFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && bytes.EqualFold(b[:len(prefix)], []byte(prefix))
}
