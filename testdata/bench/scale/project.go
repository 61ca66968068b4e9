package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"example.com/bench/run"
)

// project is a module whose program serves a version.
type project struct {
	name, does string
	grow       func(dir string) error
	branch     func(dir, text string) error // writes what differs in another branch
	leaf       string                       // another package that is edited; "" for none
	planned    bool                         // what fast builds keep of it is measured, too
}

// checkedOut is how many files differ between the two branches.
const checkedOut = 5_000

func projects(o options) []*project {
	return []*project{
		{
			name: "beside", does: fmt.Sprintf("a small app beside %d directories, half of them in node_modules, that nothing names", o.dirs),
			grow: func(dir string) error {
				return firstError(growApp(dir), growTree(filepath.Join(dir, "node_modules"), o.dirs/2, ".js"), growTree(filepath.Join(dir, "data"), o.dirs/2, ".json"))
			},
			branch: func(dir, text string) error { return rewrite(filepath.Join(dir, "data"), o.dirs/2, ".json", text) },
		},
		{
			name: "matched", does: fmt.Sprintf("the app with %d directories of files that watch.include names", o.dirs),
			grow: func(dir string) error {
				return firstError(growApp(dir), growTree(filepath.Join(dir, "data"), o.dirs, ".sql"))
			},
			branch: func(dir, text string) error { return rewrite(filepath.Join(dir, "data"), o.dirs, ".sql", text) },
		},
		{
			name: "packages", does: fmt.Sprintf("a program of %d packages", o.packages), leaf: filepath.Join("l00", "n00", "a.go"), planned: true,
			grow: func(dir string) error { return growPackages(dir, o.packages) },
			branch: func(dir, text string) error {
				return os.WriteFile(filepath.Join(dir, "l00", "n00", "other.go"), []byte("package n00\n\nconst other = `"+text+"`\n"), 0o644)
			},
		},
	}
}

func firstError(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

// make grows the project as a repository of two branches, which differ in files that the program does not depend
// on, and in its version.
func (p *project) make(ctx context.Context, dir string) error {
	if err := p.grow(dir); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, ".gitignore"), []byte("node_modules/\ntmp/\n.air.toml\ndevguard.toml\n"), 0o644); err != nil {
		return err
	}
	git := func(args ...string) error {
		return run.Do(ctx, dir, os.Environ(), append([]string{"git", "-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "gc.auto=0"}, args...)...)
	}
	if err := firstError(git("init", "-q", "-b", "one"), git("add", "-A"), git("commit", "-q", "-m", "one"), git("checkout", "-q", "-b", "two")); err != nil {
		return err
	}
	if err := firstError(p.branch(dir, "two"), save(dir, "main.go", branchTwo)); err != nil {
		return err
	}
	return firstError(git("add", "-A"), git("commit", "-q", "-m", "two"), git("checkout", "-q", "one"))
}

const source = `package main

import (
	"net/http"
	"os"
%s)

const version = "v0"

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(version + " " + leaf())) })
	http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil)
}
`

func growApp(dir string) error {
	return writeAll(dir, map[string]string{
		"go.mod":  "module example.com/app\n\ngo 1.26\n",
		"main.go": fmt.Sprintf(source, "") + "\nfunc leaf() string { return \"\" }\n",
	})
}

// growTree makes leaves of directories, three levels down, with four files each.
func growTree(top string, leaves int, ext string) error {
	for i := range leaves {
		dir := leafDir(top, i)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		for k := range 4 {
			text := fmt.Sprintf("-- file %d of directory %d\nselect 1;\n", k, i)
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%d%s", k, ext)), []byte(text), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

func leafDir(top string, i int) string {
	return filepath.Join(top, fmt.Sprintf("a%02d", i/1000), fmt.Sprintf("b%02d", i/25%40), fmt.Sprintf("c%02d", i%25))
}

func rewrite(top string, leaves int, ext, text string) error {
	for i := range min(checkedOut, leaves) {
		if err := os.WriteFile(filepath.Join(leafDir(top, i), "f0"+ext), []byte("-- "+text+"\n"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// perLayer is how many packages import only those of the layers below: 1500 packages are 30 imports deep.
const perLayer = 50

// growPackages makes a program of n packages, of three files each and with four imports or five.
func growPackages(dir string, n int) error {
	layers := max(n/perLayer, 1)
	files := map[string]string{"go.mod": "module example.com/app\n\ngo 1.26\n"}
	for l := range layers {
		for i := range perLayer {
			at, name := fmt.Sprintf("l%02d/n%02d", l, i), fmt.Sprintf("n%02d", i)
			files[at+"/a.go"] = packageSource(l, i)
			for _, more := range []string{"b", "c"} {
				files[at+"/"+more+".go"] = "package " + name + "\n\n" + strings.ReplaceAll(body, "NAME", strings.ToUpper(more))
			}
		}
	}
	var imports, calls strings.Builder
	for i := range perLayer {
		fmt.Fprintf(&imports, "\tt%02d %q\n", i, fmt.Sprintf("example.com/app/l%02d/n%02d", layers-1, i))
		fmt.Fprintf(&calls, " + t%02d.Sum(1)", i)
	}
	imports.WriteString("\tlowest \"example.com/app/l00/n00\"\n")
	files["main.go"] = fmt.Sprintf(source, imports.String()) +
		"\nfunc leaf() string { return lowest.Word() }\n\nvar _ = 0" + calls.String() + "\n"
	return writeAll(dir, files)
}

// body is what a package has beside its calls: some 60 lines that compile to something.
const body = `import (
	"fmt"
	"sort"
	"strings"
)

// NAMERecord is a record.
type NAMERecord struct {
	ID    int
	Title string
	Tags  []string
}

// NAMESort sorts records.
func NAMESort(all []NAMERecord) {
	sort.Slice(all, func(i, j int) bool { return all[i].ID < all[j].ID || all[i].ID == all[j].ID && all[i].Title < all[j].Title })
}

// NAMEFormat writes records, one a line.
func NAMEFormat(all []NAMERecord) string {
	var b strings.Builder
	for _, r := range all {
		fmt.Fprintf(&b, "%d %q", r.ID, r.Title)
		for _, tag := range r.Tags {
			if strings.TrimSpace(tag) == "" {
				continue
			}
			b.WriteString(" #" + strings.ToLower(tag))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// NAMEIndex indexes records by their tags.
func NAMEIndex(all []NAMERecord) map[string][]int {
	out := map[string][]int{}
	for i, r := range all {
		for _, tag := range r.Tags {
			out[tag] = append(out[tag], i)
		}
	}
	return out
}
`

// packageSource is the file in which package i of layer l calls others: three of the layer below, which keeps the
// graph deep, and one or two of any layer further down.
func packageSource(l, i int) string {
	called := map[string]bool{}
	for k := range 3 {
		if l > 0 {
			called[fmt.Sprintf("l%02d/n%02d", l-1, (i+17*k)%perLayer)] = true
		}
	}
	for k := range 2 {
		if l > 1 {
			called[fmt.Sprintf("l%02d/n%02d", (7*i+11*k+3*l)%(l-1), (13*i+29*k)%perLayer)] = true
		}
	}
	var imports, calls strings.Builder
	k := 0
	for at := range called {
		fmt.Fprintf(&imports, "import p%d \"example.com/app/%s\"\n", k, at)
		fmt.Fprintf(&calls, "\tn += p%d.Sum(n) + len(p%d.BFormat([]p%d.BRecord{{ID: n, Title: p%d.Word()}}))\n", k, k, k, k)
		k++
	}
	return fmt.Sprintf(`package n%02d

%s
// Word is what the benchmark edits.
//
//go:noinline
func Word() string { return "v0" }

// Sum has the linker keep all that the package calls.
func Sum(n int) int {
	if n > 0 {
		return n
	}
%s	return n
}
`, i, imports.String(), calls.String())
}

func writeAll(dir string, files map[string]string) error {
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
