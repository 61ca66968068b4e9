package watch

import (
	"os"
	"path/filepath"
	"strings"
)

// gitState is what git is in the middle of.
type gitState struct{ busy, lock bool }

// operations are the files and directories in git's directory that are there while a rebase, merge
// or bisect is not finished.
var operations = []string{"rebase-merge", "rebase-apply", "MERGE_HEAD", "BISECT_LOG"}

const indexLock = "index.lock"

func gitStateOf(dir string) gitState {
	if dir == "" {
		return gitState{}
	}
	there := func(name string) bool {
		_, err := os.Lstat(filepath.Join(dir, name))
		return err == nil
	}
	s := gitState{lock: there(indexLock)}
	s.busy = s.lock
	for _, name := range operations {
		s.busy = s.busy || there(name)
	}
	return s
}

// gitName reports whether a name in git's directory is part of its state.
func gitName(base string) bool {
	if base == indexLock || strings.HasPrefix(base, "rebase-") {
		return true
	}
	return base == "MERGE_HEAD" || base == "BISECT_LOG"
}
