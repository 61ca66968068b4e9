package proc

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A frame is four bytes of length, big endian, and that many bytes of JSON.
// Strings of the operating system travel as []byte: JSON strings would replace
// what is not UTF-8.

// maxFrame bounds a frame. Linux refuses an exec with more than 6 MB of
// arguments and environment whatever the stack limit; base64 adds a third.
const maxFrame = 16 << 20

// Operations of a command, devguard to guardian.
const (
	opStart  = "start"  // Start is set, three files come with it; once
	opSignal = "signal" // Signal to the app's group
	opStop   = "stop"   // Signal to the app's group, and wait for the group when the app exits
	opKill   = "kill"   // SIGKILL to the whole tree

	opSuspend  = "suspend"  // SIGTSTP to the app's group, like Ctrl-Z; answered once the app is stopped
	opContinue = "continue" // the terminal, if it has one, and SIGCONT to the app's group
)

// Operations of an event, guardian to devguard.
const (
	opFiltered = "filtered" // before opStarted, if startSpec.Filter: a file with it, AsksExec, or NoFilter
	opStarted  = "started"  // PID, Guardian
	opFailed   = "failed"   // Errno, or Text
	opExited   = "exited"   // Code, Signal
	opGone     = "gone"     // last

	opSuspended = "suspended" // answers opSuspend; not while the app takes no notice
	opStopped   = "stopped"   // the app was stopped at the terminal that it has: by Ctrl-Z there
)

type command struct {
	Op     string     `json:"op"`
	Signal int        `json:"signal,omitempty"`
	Start  *startSpec `json:"start,omitempty"`
}

type startSpec struct {
	Path       []byte   `json:"path"`
	Argv       [][]byte `json:"argv"`
	Dir        []byte   `json:"dir"`
	Env        [][]byte `json:"env"`
	Foreground bool     `json:"foreground,omitempty"`
	Filter     bool     `json:"filter,omitempty"`
	Group      int      `json:"group,omitempty"` // devguard's own, to give the terminal back to
}

type event struct {
	Op       string `json:"op"`
	PID      int    `json:"pid,omitempty"`
	Guardian int    `json:"guardian,omitempty"`
	AsksExec bool   `json:"asks_exec,omitempty"` // the start of the app waits for an answer, too
	NoFilter string `json:"no_filter,omitempty"` // why there is none
	Errno    int    `json:"errno,omitempty"`
	Text     string `json:"text,omitempty"`
	Code     int    `json:"code,omitempty"`
	Signal   int    `json:"signal,omitempty"`
}

// frame encodes v. It fails only for what is too large to be executed anyway.
func frame(v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode a message to the guardian: %w", err)
	}
	if len(body) > maxFrame {
		return nil, fmt.Errorf("arguments and environment are %d bytes, more than can be executed", len(body))
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...), nil
}

var errFrame = errors.New("a message of the guardian is not understood")

// readBody reads what follows the header and decodes it into v.
func readBody(r io.Reader, header [4]byte, v any) error {
	n := binary.BigEndian.Uint32(header[:])
	if n > maxFrame {
		return errFrame
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%w: %w", errFrame, err)
	}
	return nil
}

func toBytes(in []string) [][]byte {
	out := make([][]byte, len(in))
	for i, s := range in {
		out[i] = []byte(s)
	}
	return out
}

func toStrings(in [][]byte) []string {
	out := make([]string, len(in))
	for i, b := range in {
		out[i] = string(b)
	}
	return out
}
