//go:build !linux

package watch

const (
	watchHint    = "close other programs that watch files"
	filesHint    = "raise the limit of open files: ulimit -n 10240 (kqueue opens every file of a watched directory)"
	overflowHint = ""
)

func watchLimit() string    { return "" }
func instancesHint() string { return filesHint }
