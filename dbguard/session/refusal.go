package session

// refusal is an error of ours. The server is made to fail at the same place, and the client is
// shown this in the place of the server's error: so the order of replies, the skipping and the
// state of the transaction are the server's own.
type refusal struct {
	code, message, hint string
}

// The SQLSTATEs that the server is made to fail with, and that a refusal replaces.
const (
	codeNoPortal    = "34000" // Execute of a portal that does not exist
	codeNoStatement = "26000" // EXECUTE of a statement that does not exist
)

// codeProtocol is the error of a Bind that asks for more result formats than there are columns. A
// server that has the client's statement itself finds first that its result has changed.
const codeProtocol = "08P01"

// Texts that a server accepts or refuses for certain. They name devguard for the server's log.
const (
	noPortal = "devguard: refused"
	// UNLISTEN of a channel that nobody listens to does nothing, needs no right, and is allowed on
	// a standby. In an aborted transaction it fails, as the statement that it stands for would; an
	// empty query would not.
	standIn       = `UNLISTEN "devguard: nothing"`
	standInTag    = "UNLISTEN"
	refuseInQuery = `EXECUTE "devguard: refused"`
)

var (
	changedResult = refusal{code: "0A000", message: "cached plan must not change result type"}
	discardInside = refusal{code: "25001", message: "DISCARD ALL cannot run inside a transaction block"}
	tooManyBytes  = refusal{code: "54000", message: "prepared statements of one connection are limited to 128 MiB by devguard",
		hint: "Close or DEALLOCATE the ones that are no longer used."}
	parseTooLong = refusal{code: "54000", message: "the text of a statement is limited to 64 MiB by devguard",
		hint: "Send long values as parameters or by COPY."}
	nameTooLong  = refusal{code: "54000", message: "names of statements and portals are limited to 4,000 bytes by devguard"}
	manyPortals  = refusal{code: "54000", message: "too many portals are open in one transaction"}
	dropTogether = refusal{code: "0A000", message: "through a transaction pooler DEALLOCATE has to be sent alone",
		hint: "Send it apart from other statements."}
)

func duplicateStatement(name string) *refusal {
	return &refusal{code: "42P05", message: `prepared statement "` + name + `" already exists`}
}

func unknownStatement(name string) *refusal {
	if name == "" {
		return &refusal{code: "26000", message: "unnamed prepared statement does not exist"}
	}
	return &refusal{code: "26000", message: `prepared statement "` + name + `" does not exist`}
}

// executeInSQL refuses EXECUTE of what was prepared by a Parse message.
func executeInSQL(name string) *refusal {
	r := unknownStatement(name)
	r.hint = "It was prepared by a protocol message; through a transaction pooler SQL EXECUTE does not reach it."
	return r
}

// append appends the refusal as an ErrorResponse of severity ERROR.
func (r *refusal) append(out []byte) []byte {
	fields := [...]struct {
		letter byte
		value  string
	}{{'S', "ERROR"}, {'V', "ERROR"}, {'C', r.code}, {'M', r.message}, {'H', r.hint}}
	length := 1
	for _, f := range fields {
		if f.value != "" {
			length += len(f.value) + 2
		}
	}
	out = appendHead(out, 'E', length)
	for _, f := range fields {
		if f.value != "" {
			out = append(append(append(out, f.letter), f.value...), 0)
		}
	}
	return append(out, 0)
}

// appendPoison appends an Execute that fails.
func appendPoison(out []byte) []byte {
	out = appendHead(out, 'E', len(noPortal)+1+4)
	out = append(append(out, noPortal...), 0)
	return append(out, 0, 0, 0, 0)
}

// appendQuery appends a simple Query.
func appendQuery(out []byte, text string) []byte {
	out = appendHead(out, 'Q', len(text)+1)
	return append(append(out, text...), 0)
}

// errorField returns one field of an ErrorResponse, "" when it is not there.
func errorField(body []byte, letter byte) string {
	for len(body) > 0 && body[0] != 0 {
		value, rest, ok := cutString(body[1:])
		if !ok {
			return ""
		}
		if body[0] == letter {
			return string(value)
		}
		body = rest
	}
	return ""
}
