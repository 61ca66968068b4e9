package fastbuild

import (
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// dryRun is what `go build -n -a` prints, as far as it is of use: the compiler's and the linker's
// commands and the files that the go command would write for them.
type dryRun struct {
	compiles []*compilation // in the order of the go command: what is imported comes first
	profiles []command      // that prepare a profile for the compiler
	link     command
	linkCfg  []string // lines of the linker's importcfg

	cgo    []string // import paths of packages that cgo is run for
	packed []packed // what is added to archives: assembly, C and objects
}

// command is one call of a tool.
type command struct {
	dir  string   // where it runs
	env  []string // what is added to the environment
	tool string
	args []string
}

// compilation is a call of the compiler.
type compilation struct {
	command
	folder string // its work folder, as $WORK/b002
	cfg    []string
	embed  string // the embedcfg; "" for none
}

type packed struct {
	archive string
	objects []string
}

// work is what the go command calls its work directory when it creates none.
const work = "$WORK"

// dryReader reads the text line by line.
type dryReader struct {
	lines []string
	dir   string            // of the last cd
	files map[string]string // that would be written, by name
	out   dryRun
}

// readDryRun reads the output of `go build -n -a`. Of a tool whose command cannot be read, and of a
// file that nobody has written, there is a Refusal. (cmd/go/internal/work: Shell.ShowCmd, fmtCmd)
func readDryRun(text string) (*dryRun, *Refusal) {
	r := dryReader{lines: strings.Split(text, "\n"), files: map[string]string{}}
	for len(r.lines) > 0 {
		line := r.lines[0]
		r.lines = r.lines[1:]
		if refused := r.read(line); refused != nil {
			return nil, refused
		}
	}
	if r.out.link.tool == "" || len(r.out.compiles) == 0 {
		return nil, refuse(Unknown, "no compiler or no linker is run")
	}
	return &r.out, nil
}

var (
	heredoc     = regexp.MustCompile(`^cat >(\S+) << 'EOF'`)
	emptyConfig = regexp.MustCompile(`^echo '# import config' > (\S+)`)
)

func (r *dryReader) read(line string) *Refusal {
	if m := heredoc.FindStringSubmatch(line); m != nil {
		return r.readFile(m[1])
	}
	if m := emptyConfig.FindStringSubmatch(line); m != nil {
		r.files[m[1]] = ""
		return nil
	}
	if dir, ok := strings.CutPrefix(line, "cd "); ok {
		r.dir = dir
		return nil
	}
	if rest, ok := strings.CutPrefix(line, "go tool pack r "); ok {
		rest, _ = strings.CutSuffix(rest, " # internal")
		words := strings.Fields(rest)
		r.out.packed = append(r.out.packed, packed{words[0], words[1:]})
		return nil
	}
	return r.readTool(line)
}

// readFile reads a file up to its EOF, which may follow a last line without a newline.
func (r *dryReader) readFile(name string) *Refusal {
	for i, line := range r.lines {
		last, ended := strings.CutSuffix(line, "EOF")
		if !ended {
			continue
		}
		r.files[name] = strings.Join(append(slices.Clone(r.lines[:i]), last), "\n")
		r.lines = r.lines[i+1:]
		return nil
	}
	return refuse(Unknown, "a file without an end")
}

var assignment = regexp.MustCompile(`^([A-Z_0-9]+)='([^']*)' `)

func (r *dryReader) readTool(line string) *Refusal {
	c := command{dir: r.dir}
	for {
		m := assignment.FindStringSubmatch(line)
		if m == nil {
			break
		}
		c.env = append(c.env, m[1]+"="+m[2])
		line = line[len(m[0]):]
	}
	first, _, _ := strings.Cut(line, " ")
	name := strings.TrimSuffix(filepath.Base(strings.Trim(first, `"`)), ".exe")
	if name != "compile" && name != "link" && name != "cgo" && name != "preprofile" {
		return nil
	}
	words, ok := splitWords(line)
	if !ok {
		return refuse(Unknown, "the command line of "+name)
	}
	c.tool, c.args = words[0], words[1:]
	switch name {
	case "compile":
		return r.compile(c)
	case "link":
		return r.link(c)
	case "preprofile":
		r.out.profiles = append(r.out.profiles, c)
		return nil
	}
	if slices.Contains(c.args, "-dynimport") {
		return nil // of a package that cgo was run for
	}
	path, ok := c.value("-importpath")
	if !ok {
		return refuse(Unknown, "cgo without an import path")
	}
	r.out.cgo = append(r.out.cgo, path)
	return nil
}

func (r *dryReader) compile(c command) *Refusal {
	out, _ := c.value("-o")
	folder, ok := strings.CutSuffix(out, "/_pkg_.a")
	if !ok || !strings.HasPrefix(folder, work+"/") {
		return refuse(Unknown, "where the compiler writes")
	}
	cfg, ok := r.files[folder+"/importcfg"]
	if !ok {
		return refuse(Unknown, "an importcfg that nobody writes")
	}
	r.out.compiles = append(r.out.compiles, &compilation{command: c, folder: folder, cfg: configLines(cfg), embed: r.files[folder+"/embedcfg"]})
	return nil
}

func (r *dryReader) link(c command) *Refusal {
	name, _ := c.value("-importcfg")
	cfg, ok := r.files[name]
	if !ok || r.out.link.tool != "" {
		return refuse(Unknown, "how the program is linked")
	}
	r.out.link, r.out.linkCfg = c, configLines(cfg)
	return nil
}

// configLines are the lines of an importcfg that say something.
func configLines(cfg string) []string {
	return slices.DeleteFunc(strings.Split(cfg, "\n"), func(l string) bool { return l == "" || l[0] == '#' })
}

// value is that of a flag whose value is the next word.
func (c command) value(flag string) (string, bool) {
	i := slices.Index(c.args, flag)
	if i < 0 || i+1 >= len(c.args) {
		return "", false
	}
	return c.args[i+1], true
}

// splitWords takes a printed command apart: words that would be ambiguous are printed as Go strings.
// (joinUnambiguously)
func splitWords(line string) ([]string, bool) {
	var words []string
	for line != "" {
		word, rest, _ := strings.Cut(line, " ")
		if line[0] == '"' {
			quoted, err := strconv.QuotedPrefix(line)
			if err != nil {
				return nil, false
			}
			if word, err = strconv.Unquote(quoted); err != nil {
				return nil, false
			}
			rest = line[len(quoted):]
			if rest != "" && rest[0] != ' ' {
				return nil, false
			}
			rest = strings.TrimPrefix(rest, " ")
		}
		words, line = append(words, word), rest
	}
	return words, len(words) > 0
}
