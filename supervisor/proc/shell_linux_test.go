package proc

import (
	"strings"
	"testing"
)

// TestShellText: only what a shell is to do can name programs that are started.
func TestShellText(t *testing.T) {
	for command, want := range map[string]string{
		"./bot|ping":                    "",
		"./bot|-c|mount":                "",
		"sh|run.sh|mount":               "",
		"sh|-c":                         "",
		"sh|-c|sudo ./app":              "sudo ./app",
		"/bin/bash|-ec|sudo ./app|more": "sudo ./app",
		"env|A=1|sh|-c|sudo ./app":      "sudo ./app",
		"sh":                            "",
	} {
		words := strings.Split(command, "|")
		if got := shellText(words[0], words[1:]); got != want {
			t.Errorf("%s: %q, want %q", command, got, want)
		}
	}
}
