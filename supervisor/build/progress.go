package build

import (
	"bufio"
	"io"
	"os/exec"
	"strings"

	"github.com/devguard/devguard/supervisor/goflags"
	"github.com/devguard/devguard/supervisor/osproc"
)

// tracker counts what the build is done with.
//
// `go build -v` names a package when it begins to compile it, and never names
// those it finds in its cache. All that a named package imports is done by then,
// cached or compiled: so the imports turn the names into a count that reaches the
// total.
type tracker struct {
	report  func(done, total int)
	imports map[string][]string // nil until go list has answered
	done    map[string]bool
	lines   []string // everything printed, each with its newline
}

// watch runs build and, beside it, list, which says what there is to do; it
// returns the output of build without the names that -v added.
func watch(g *osproc.Group, build, list *exec.Cmd, r Request) (string, error) {
	read, write := io.Pipe()
	build.Stdout, build.Stderr = write, write
	known := make(chan map[string][]string, 1)
	go func() { known <- importsOf(g, list) }()
	built := make(chan error, 1)
	go func() {
		err := g.Run(build)
		write.Close()
		built <- err
	}()
	lines := make(chan string)
	go scan(read, lines)

	t := &tracker{report: r.Progress, done: map[string]bool{}}
	listed := known
	for lines != nil {
		select {
		case line, ok := <-lines:
			if !ok {
				lines = nil
				break
			}
			t.add(line)
		case imports := <-listed:
			listed = nil
			t.learn(imports)
		}
	}
	err := <-built
	if listed != nil {
		t.learn(<-listed)
	}
	return t.output(), err
}

// scan sends the lines of r, the last one also without a newline, and closes the
// channel.
func scan(r io.Reader, lines chan<- string) {
	defer close(lines)
	br := bufio.NewReader(r)
	for {
		line, err := br.ReadString('\n')
		if line != "" {
			lines <- line
		}
		if err != nil {
			return
		}
	}
}

// listArguments is the go list that names every package of the build and its
// imports. -v is unknown to it, and -x would print into its answer.
func listArguments(r Request) []string {
	args := []string{"list", "-json=false", "-e", "-deps", "-f", "{{.ImportPath}}{{range .Imports}} {{.}}{{end}}"}
	args = append(args, goflags.Parse(r.Flags).Words(goflags.Compiles, goflags.Selects, goflags.Profiles)...)
	return append(args, r.pkg())
}

// importsOf returns what list printed; without an answer there is no total, and
// the build itself says what is wrong.
func importsOf(g *osproc.Group, list *exec.Cmd) map[string][]string {
	var out strings.Builder
	list.Stdout = &out
	if g.Run(list) != nil {
		return nil
	}
	imports := map[string][]string{}
	var all []string
	for line := range strings.Lines(out.String()) {
		if words := strings.Fields(line); len(words) > 0 {
			imports[words[0]] = words[1:]
			all = append(all, words[0])
		}
	}
	if len(all) > 0 {
		// The last one is what is built. It waits for all, also for what it
		// does not import by name (runtime).
		imports[all[len(all)-1]] = all
	}
	return imports
}

func (t *tracker) learn(imports map[string][]string) {
	t.imports = imports
	for _, line := range t.lines {
		t.mark(strings.TrimSpace(line))
	}
	t.tell()
}

func (t *tracker) add(line string) {
	t.lines = append(t.lines, line)
	if t.mark(strings.TrimSpace(line)) {
		t.tell()
	}
}

// mark notes that pkg and all that it imports are done, and reports whether that
// is news.
func (t *tracker) mark(pkg string) bool {
	imports, ok := t.imports[pkg]
	if !ok || t.done[pkg] {
		return false
	}
	t.done[pkg] = true
	for _, p := range imports {
		t.mark(p)
	}
	return true
}

func (t *tracker) tell() {
	if len(t.imports) > 0 {
		t.report(len(t.done), len(t.imports))
	}
}

func (t *tracker) output() string {
	var b strings.Builder
	for _, line := range t.lines {
		if _, name := t.imports[strings.TrimSpace(line)]; !name {
			b.WriteString(line)
		}
	}
	return b.String()
}
