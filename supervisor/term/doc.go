// Package term reads single keys from the terminal while an app runs that does
// not.
//
// Promises:
//   - The terminal is changed only while this process is in its foreground
//     group: no line buffering, no echo; Ctrl-C, Ctrl-Z and Ctrl-\ stay signals
//     and output processing stays on. Close gives back what was there.
//   - GiveBack gives the terminal back before the process is stopped (Ctrl-Z), fg takes it again.
//   - Started or continued in the background (devguard run &), it reads and
//     changes nothing, and takes the keys up once in the foreground.
//   - The process is never stopped by SIGTTIN or SIGTTOU from Open to the end.
//   - A key is one rune. Escape sequences (arrows, function keys) are not keys.
//
// A process killed by -9 cannot give the terminal back: `stty sane` does.
package term
