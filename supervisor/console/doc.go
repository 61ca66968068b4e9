// Package console owns the wording and the form of everything that devguard says:
// the lines of its log, errors and hints of the command line, the messages of a
// failed build, the help of the keys and the progress of the first build. The
// words are in wording.go; what the lines are (msg, attributes, types) is package
// logline's.
//
// Promises:
//   - json is one object a line and text is slog's own, both complete. pretty is
//     for people: one sentence a record, with an indented block under it where
//     there are several things to tell; what goes well and says nothing new
//     (build started, instance started ...) is shown at debug only.
//   - Whoever writes to a Screen never waits for whoever reads it; what is lost for want
//     of a reader is counted and said (screen.go).
//   - pretty writes no control character that came from outside (a file name, an
//     error, a source line), and each record by one Write.
//
// The terminal handlers there are print msg and key=value; none can make a
// sentence of attributes, and tint passes escape sequences in values on to the
// terminal. What is left to write without one is the loop in handler.go.
package console
