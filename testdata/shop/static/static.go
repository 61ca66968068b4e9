// Package static holds the files that are compiled into the shop.
package static

import (
	"embed"
	"strings"
)

// Files are served under /static/.
//
//go:embed style.css
var Files embed.FS

//go:embed version.txt
var version string

// Version is what version.txt said when the shop was built.
func Version() string { return strings.TrimSpace(version) }
