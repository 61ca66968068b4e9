package osproc

import "os"

// Self names this program, also when its file was removed or replaced since (`go run`, an update;
// Linux).
func Self() (string, error) {
	const self = "/proc/self/exe"
	if _, err := os.Stat(self); err == nil {
		return self, nil
	}
	return os.Executable()
}
