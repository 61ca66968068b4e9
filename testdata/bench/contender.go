package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// floorName is the contender that all ratios refer to.
const floorName = "floor"

// contender is one way of running the shop while somebody edits it.
type contender struct {
	name string
	does string // for the table
	tool string // the program to run; none for the floor, which is in floor.go
	repo string // with tool devguard: another checkout to build it from
	args []string
	file string // a configuration file, if the tool needs one
	text string

	verifies bool // it builds in the background, too
}

// The build flags that save most; "best settings" have them too, so that they
// are best also where devguard's own defaults come from.
func bestBuild(pkg string) string {
	return "go build -buildvcs=false -ldflags=-w -o ./tmp/app " + pkg
}

// airBest has one millisecond, which is air's least delay: 0 is taken for "not set", which is 1000.
// send_interrupt spares the app a kill -9; exclude_unchanged and stop_on_error are what its own
// example advises, and change nothing here.
const airBest = `root = "."
tmp_dir = "tmp"
[build]
cmd = "%s"
entrypoint = ["./tmp/app"]
include_ext = ["go", "html"]
exclude_dir = ["tmp"]
exclude_regex = ["_test\\.go"]
exclude_unchanged = true
delay = 1
stop_on_error = true
send_interrupt = true
kill_delay = "500ms"
`

// before is the devguard of another checkout, to see what a change costs or gains.
func before(repo, pkg string) contender {
	return contender{
		name: "before", does: "`devguard run` of the checkout before",
		tool: "devguard", repo: repo, args: []string{"run", "-v", "--log-format", "json", pkg}, verifies: true, // or it says so, once, that it does not
	}
}

// contenders are the ways of running a main package.
func contenders(pkg string) []contender {
	return append([]contender{
		{
			name: floorName,
			does: "by hand: `go build`, stop the old one, start the new one",
		},
		{
			name: "devguard",
			does: "**`devguard run`**",
			tool: "devguard",
			args: []string{"run", "-v", "--log-format", "json", pkg}, // -v says when a build is verified

			verifies: true,
		},
		{
			name: "devguard-slow",
			does: "the same with `fast = \"off\"`",
			tool: "devguard",
			args: []string{"run", "--log-format", "json"},
			file: "devguard.toml",
			text: "[app]\npackage = \"" + pkg + "\"\n[build]\nfast = \"off\"\n",
		},
	}, peers(pkg)...)
}

// peers are what people use today, at their defaults and at their best.
func peers(pkg string) []contender {
	return []contender{
		{
			name: "air",
			does: "`air`",
			tool: "air",
			args: []string{"--build.cmd", "go build -o ./tmp/main " + pkg},
		},
		{
			name: "air-best",
			does: "`air`, 1 ms delay, `-ldflags=-w`, no kill -9",
			tool: "air",
			args: []string{"-c", ".air.toml"},
			file: ".air.toml",
			text: fmt.Sprintf(airBest, bestBuild(pkg)),
		},
		{
			// As its README runs a server; it has no debounce to set.
			name: "reflex",
			does: "`reflex -s`",
			tool: "reflex",
			args: []string{"-r", `\.(go|html)$`, "-s", "--", "sh", "-c", "go build -o ./tmp/app " + pkg + " && exec ./tmp/app"},
		},
		{
			name: "reflex-best",
			does: "`reflex -s`, `-ldflags=-w`",
			tool: "reflex",
			args: []string{"-d", "none", "-r", `\.(go|html)$`, "-s", "--", "sh", "-c", bestBuild(pkg) + " && exec ./tmp/app"},
		},
		{
			name: "wgo",
			does: "`wgo run`",
			tool: "wgo",
			args: []string{"run", pkg},
		},
		{
			name: "wgo-best",
			does: "`wgo`, 1 ms debounce, `-ldflags=-w`",
			tool: "wgo",
			args: slices.Concat([]string{"-debounce", "1ms", "-file", `\.(go|html)$`, "-xdir", "tmp"},
				strings.Fields(bestBuild(pkg)), []string{"::", "./tmp/app"}),
		},
	}
}

// configure writes the contender's configuration into its copy of the shop.
// devguard gets none but to be without fast builds: it is measured with no configuration at all.
func (c contender) configure(shop string) error {
	if err := os.Remove(filepath.Join(shop, "devguard.toml")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if c.file == "" {
		return nil
	}
	return os.WriteFile(filepath.Join(shop, c.file), []byte(c.text), 0o644)
}
