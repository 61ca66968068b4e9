package pgtest

import (
	"bytes"
	"fmt"
	"os"
)

// processExists counts a zombie as gone: PID 1 of many containers reaps none.
func processExists(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(stat, []byte(") Z "))
}
