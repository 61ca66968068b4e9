package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// generator is a hook that makes schema.go of schema.txt, and complains as a
// compiler does of the word bad. It writes down what it is told.
const generator = `
[[hook]]
name = "schema"
watch = ["schema.txt"]
outputs = ["schema.go"]
run = """
printf '%s;' "$DEVGUARD_HOOK" "$DEVGUARD_CHANGED" >> told.txt
if grep -n bad schema.txt; then echo 'schema.txt:1:7: bad is no word' >&2; exit 3; fi
printf 'package main\\n\\nconst schema = "%s"\\n' "$(cat schema.txt)" > schema.go
"""
`

// schemaServer answers with its version, what the generator made, and its pid.
var schemaServer = strings.NewReplacer(
	`"%s pid=%d.", version, os.Getpid()`, `"%s schema=%s pid=%d.", version, schema, os.Getpid()`).Replace(server)

// hooked makes a project with a generator and returns the address of its app.
func hooked(t *testing.T, config string) (dir, url string, env []string) {
	t.Helper()
	dir = project(t, map[string]string{"main.go": schemaServer, "schema.txt": "one", "devguard.toml": config})
	port := freePort(t)
	return dir, "http://127.0.0.1:" + port, []string{"PORT=" + port}
}

// counts says how often each of the lines about work came after the mark.
func (d *devguard) counts(mark int) string {
	var text strings.Builder
	for _, msg := range []string{"hook started", "build started", "instance started"} {
		text.WriteString(fmt.Sprintf("%s %d, ", msg, d.count(mark, msg)))
	}
	return strings.TrimSuffix(text.String(), ", ")
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Outputs that are missing are made at start; an edit is one run of the hook,
// one build and one restart, and the hook is told what changed.
func TestHookThenBuildThenRestart(t *testing.T) {
	t.Parallel()
	dir, url, env := hooked(t, generator)
	d := run(t, dir, env)
	d.serves(url, "v1 schema=one ")
	d.ready()
	if got := d.counts(0); got != "hook started 1, build started 1, instance started 1" {
		t.Errorf("at start: %s", got)
	}
	mark := d.mark()
	saveWhole(t, filepath.Join(dir, "schema.txt"), "two")
	d.serves(url, "v1 schema=two ")
	d.wait(mark, "instance ready", ofGen(2))
	// What came too much would come before the next edit is served.
	edit(t, filepath.Join(dir, "main.go"), "v1", "v2")
	d.serves(url, "v2 schema=two ")
	d.wait(mark, "instance ready", ofGen(3))
	if got := d.counts(mark); got != "hook started 1, build started 2, instance started 2" {
		t.Errorf("after an edit of the schema and one of the code: %s", got)
	}
	if got := readFile(t, filepath.Join(dir, "told.txt")); got != "schema;;schema;schema.txt;" {
		t.Errorf("the hook was told %q", got)
	}
}

// A hook that fails keeps the app; edits of other files are served meanwhile;
// it runs again when its own file is mended.
func TestFailingHookKeepsTheApp(t *testing.T) {
	t.Parallel()
	dir, url, env := hooked(t, generator)
	d := run(t, dir, env)
	d.serves(url, "schema=one")
	d.ready()
	before := get(url)
	mark := d.mark()
	saveWhole(t, filepath.Join(dir, "schema.txt"), "two, bad")
	failed := d.wait(mark, "hook failed", nil)
	if failed.int("code") != 3 || failed.int("serving") != 1 || failed.str("hook") != "schema" {
		t.Errorf("%s", failed.Raw)
	}
	if !strings.Contains(d.log(), "schema.txt:1:7: bad is no word") {
		t.Errorf("the hook's own words are not shown\n%s", d.log())
	}
	if now := get(url); now != before {
		t.Errorf("served %q before and %q after", before, now)
	}
	edit(t, filepath.Join(dir, "main.go"), "v1", "v2")
	d.serves(url, "v2 schema=one")
	d.wait(mark, "instance ready", nil)
	if got := d.counts(mark); got != "hook started 1, build started 1, instance started 1" {
		t.Errorf("with a failed hook: %s", got)
	}
	mark = d.mark()
	saveWhole(t, filepath.Join(dir, "schema.txt"), "three")
	d.serves(url, "v2 schema=three")
	d.wait(mark, "instance ready", nil)
	if got := d.counts(mark); got != "hook started 1, build started 1, instance started 1" {
		t.Errorf("mended: %s", got)
	}
}

// A hook that fails at the very start does not keep the app from starting when
// what it makes is there from before.
func TestHookFailsAtStart(t *testing.T) {
	t.Parallel()
	dir, url, env := hooked(t, generator)
	write(t, filepath.Join(dir, "schema.go"), "package main\n\nconst schema = \"old\"\n")
	write(t, filepath.Join(dir, "schema.txt"), "bad")
	d := run(t, dir, env)
	d.serves(url, "v1 schema=old")
	d.wait(0, "hook failed", nil)
}

// What a hook was run for outlives devguard; outputs that went are made again.
func TestHookIsNotRunAgainAtTheNextStart(t *testing.T) {
	t.Parallel()
	dir, url, env := hooked(t, generator)
	first := run(t, dir, env)
	first.serves(url, "schema=one")
	first.stop()
	second := run(t, dir, env)
	second.serves(url, "schema=one")
	second.stop()
	if n := second.count(0, "hook started"); n != 0 {
		t.Errorf("the hook ran again\n%s", second.log())
	}
	if err := os.Remove(filepath.Join(dir, "schema.go")); err != nil {
		t.Fatal(err)
	}
	third := run(t, dir, env)
	third.serves(url, "schema=one")
	third.stop()
	write(t, filepath.Join(dir, "schema.txt"), "two")
	fourth := run(t, dir, env)
	fourth.serves(url, "schema=two")
	fourth.ready() // which comes after the hooks
	if third.count(0, "hook started") != 1 || fourth.count(0, "hook started") != 1 {
		t.Errorf("without its output the hook ran %d times, with an edit meanwhile %d times", third.count(0, "hook started"), fourth.count(0, "hook started"))
	}
}

// Hooks run in the order of the file, and their then decides what follows.
func TestHookThen(t *testing.T) {
	t.Parallel()
	const config = `
[[hook]]
name = "%[1]s 2"
watch = ["in.txt"]
run = "echo second %[1]s >> order.txt; cat order.txt"
then = "none"

[[hook]]
name = "%[1]s"
watch = ["in.txt"]
run = "echo first %[1]s >> order.txt"
then = "%[1]s"
`
	for _, c := range []struct{ then, want string }{
		{"none", "hook started 2, build started 0, instance started 0"},
		{"restart", "hook started 2, build started 0, instance started 1"},
		{"rebuild", "hook started 2, build started 1, instance started 0"}, // the same bytes
	} {
		t.Run(c.then, func(t *testing.T) {
			port := freePort(t)
			dir := project(t, map[string]string{"main.go": server, "in.txt": "1", "devguard.toml": fmt.Sprintf(config, c.then)})
			d := run(t, dir, []string{"PORT=" + port})
			d.ready()
			mark := d.mark()
			saveWhole(t, filepath.Join(dir, "in.txt"), "2")
			d.wait(mark, "hook finished", func(l line) bool { return l.str("hook") == c.then })
			switch c.then {
			case "restart":
				d.wait(mark, "instance ready", nil)
			case "rebuild":
				d.wait(mark, "restart skipped", nil)
			}
			d.stop()
			if got := d.counts(mark); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
			both := "second " + c.then + "\nfirst " + c.then + "\n"
			if got := readFile(t, filepath.Join(dir, "order.txt")); got != both+both {
				t.Errorf("the order is\n%s", got)
			}
		})
	}
}

// A hook that writes what it watches is suspended, with the file named.
func TestHookThatFeedsItselfIsSuspended(t *testing.T) {
	t.Parallel()
	const config = `
[[hook]]
name = "loop"
watch = ["in.txt", "other.txt"]
run = "echo more >> in.txt"
then = "none"
`
	port := freePort(t)
	dir := project(t, map[string]string{"main.go": server, "in.txt": "1", "devguard.toml": config})
	d := run(t, dir, []string{"PORT=" + port})
	l := d.wait(0, "hook suspended", nil)
	if fmt.Sprint(l.Attrs["paths"]) != "[in.txt]" {
		t.Errorf("%s", l.Raw)
	}
	d.serves("http://127.0.0.1:"+port, "v1")
	if n := d.count(0, "hook started"); n != 3 {
		t.Errorf("the hook ran %d times", n)
	}
	mark := d.mark()
	edit(t, filepath.Join(dir, "main.go"), "v1", "v2")
	d.serves("http://127.0.0.1:"+port, "v2")
	d.wait(mark, "hook suspended", nil) // it had another chance
}

// Prisma as a hook: one edit of the schema is one generation, one build and one
// restart; a schema that is not valid keeps the app and is shown with its line.
func TestPrisma(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{
		"main.go": strings.NewReplacer(
			"const version", "//go:embed all:generated\nvar generated embed.FS\n\nconst version",
			"\"fmt\"", "\"embed\"\n\t\"fmt\"\n\t\"io/fs\"",
			`"%s pid=%d.", version, os.Getpid()`, `"%s models=%s pid=%d.", version, models(), os.Getpid()`,
		).Replace(server) + `
func models() (names string) {
	entries, _ := fs.ReadDir(generated, "generated/models")
	for _, e := range entries {
		names += e.Name() + ","
	}
	return names
}
`,
		"prisma/schema.prisma": `generator client {
  provider = "prisma-client"
  output   = "../generated"
}

datasource db {
  provider = "postgresql"
}

model User {
  id    Int    @id
  email String
}
`,
		"prisma.config.ts": `import { defineConfig } from "prisma/config";
export default defineConfig({
  schema: "prisma/schema.prisma",
  datasource: { url: process.env.DATABASE_URL ?? "postgres://x:y@127.0.0.1:1/z" },
});
`,
		"devguard.toml": `
[[hook]]
name = "prisma"
watch = ["prisma/schema.prisma"]
run = "npx prisma generate"
outputs = ["generated/**"]
`,
	})
	if err := os.Symlink(filepath.Join(npmInstalled(t, "prisma", prismaVersion), "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	nothing, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	url := "http://127.0.0.1:" + port
	d := run(t, dir, []string{"PORT=" + port, "PRISMA_SCHEMA_ENGINE_BINARY=" + nothing})
	d.serves(url, "v1 models=User.ts, ")
	d.ready()
	if got := d.counts(0); got != "hook started 1, build started 1, instance started 1" {
		t.Errorf("at start: %s", got)
	}

	schema := filepath.Join(dir, "prisma/schema.prisma")
	mark := d.mark()
	edit(t, schema, "model User", "model Post {\n  id Int @id\n}\n\nmodel User")
	d.serves(url, "v1 models=Post.ts,User.ts, ")
	ready := d.wait(mark, "instance ready", nil)
	t.Logf("prisma: save to ready %d ms", ready.int("save_to_ready_ms"))

	before := get(url)
	edit(t, schema, "email String", "email Strin")
	d.wait(mark, "hook failed", nil)
	if log := d.log(); !strings.Contains(log, "P1012") || !strings.Contains(log, "prisma/schema.prisma:16") {
		t.Errorf("the error is not shown with its line\n%s", log)
	}
	if now := get(url); now != before {
		t.Errorf("served %q before and %q after", before, now)
	}
	if got := d.counts(mark); got != "hook started 2, build started 1, instance started 1" {
		t.Errorf("after a good and a bad schema: %s", got)
	}
}

const prismaVersion = "7.10.1"

// The shop's own generator: a schema edit is a run of it, a build and a restart.
func TestGoGenerator(t *testing.T) {
	t.Parallel()
	s := database(t)
	dir := copyShop(t, t.TempDir())
	edit(t, filepath.Join(dir, "devguard.toml"), "embedded = true", "")
	port := freePort(t)
	d := runApp(t, dir, []string{"DATABASE_URL=" + s.URL(dev), "PORT=" + port})
	d.ready()
	for range 2 { // its two hooks
		d.wait(0, "hook finished", nil)
	}
	generated := filepath.Join(dir, "internal/models/models_gen.go")
	schema := filepath.Join(dir, "schema/models.txt")
	if strings.Contains(readFile(t, generated), "Comment") {
		t.Fatal("the schema has the column already")
	}
	mark := d.mark()
	edit(t, schema, "    status      text\n", "    status      text\n    comment     text\n")
	d.wait(mark, "instance ready", nil)
	if !strings.Contains(readFile(t, generated), "Comment") {
		t.Error("the new column is not generated")
	}
	if got := d.counts(mark); got != "hook started 1, build started 1, instance started 1" {
		t.Errorf("an edit of the schema: %s", got)
	}
	mark = d.mark()
	edit(t, schema, "comment     text", "comment     test")
	l := d.wait(mark, "hook failed", nil)
	if l.int("serving") != 2 || !strings.Contains(d.log(), "schema/models.txt:") {
		t.Errorf("the error is not shown with its line: %s\n%s", l.Raw, d.log())
	}
	if n := d.count(mark, "instance stopping"); n != 0 {
		t.Error("the app was stopped")
	}
}

// What one hook makes another may watch, in whatever order they are written:
// an edit is one run of each, one build and one restart.
func TestHooksInAChain(t *testing.T) {
	t.Parallel()
	const first = `
[[hook]]
name = "first"
watch = ["schema.txt"]
run = "sed s/$/!/ schema.txt > middle.txt"
outputs = ["middle.txt"]
`
	const second = `
[[hook]]
name = "second"
watch = ["middle.txt"]
run = """printf 'package main\\n\\nconst schema = "%s"\\n' "$(cat middle.txt)" > schema.go"""
outputs = ["schema.go"]
`
	for name, config := range map[string]string{"in order": first + second, "the other way round": second + first} {
		t.Run(name, func(t *testing.T) {
			dir, url, env := hooked(t, config)
			write(t, filepath.Join(dir, "middle.txt"), "zero!")
			d := run(t, dir, env)
			d.serves(url, "schema=one! ")
			d.ready()
			mark := d.mark()
			saveWhole(t, filepath.Join(dir, "schema.txt"), "two")
			d.serves(url, "schema=two! ")
			edit(t, filepath.Join(dir, "main.go"), "v1", "v2")
			d.serves(url, "v2 schema=two! ")
			d.wait(mark, "instance ready", ofGen(3))
			if got := d.counts(mark); got != "hook started 2, build started 2, instance started 2" {
				t.Errorf("after an edit of the schema and one of the code: %s", got)
			}
		})
	}
}

// blocking is a hook that tells when it has read its input and then waits for
// the file go.
const blocking = `
[[hook]]
name = "slow"
watch = ["schema.txt"]
outputs = ["schema.go"]
run = """
text=$(cat schema.txt); touch has-read
while [ ! -e go ]; do sleep 0.01; done
printf 'package main\\n\\nconst schema = "%s"\\n' "$text" > schema.go
"""
`

// What is saved while a hook runs is not lost on it.
func TestEditWhileAHookRuns(t *testing.T) {
	t.Parallel()
	dir, url, env := hooked(t, blocking)
	d := run(t, dir, env)
	if !poll(limit, func() bool { _, err := os.Stat(filepath.Join(dir, "has-read")); return err == nil }) {
		t.Fatal("the hook does not run")
	}
	write(t, filepath.Join(dir, "schema.txt"), "two")
	write(t, filepath.Join(dir, "go"), "")
	d.serves(url, "schema=two ")
	if n := d.count(0, "hook started"); n != 2 {
		t.Errorf("the hook ran %d times", n)
	}
}

// A file that a hook has just made is of the round that the hook ran in: no second restart comes for it.
func TestHookMakesAFile(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{"schema.sql": "0", "devguard.toml": `
[[hook]]
name = "made"
watch = ["schema.sql"]
run = "echo made > $(cat schema.sql).txt"
then = "none"
`})
	d := run(t, dir, nil, "--", "sleep", "1000")
	d.ready()
	const edits = 5
	for n := range edits {
		mark := d.mark()
		saveWhole(t, filepath.Join(dir, "schema.sql"), strconv.Itoa(n+1))
		d.wait(mark, "instance ready", nil)
	}
	if got, want := d.counts(0), fmt.Sprintf("hook started %d, build started 0, instance started %[1]d", edits+1); got != want {
		t.Errorf("%s; want %s", got, want)
	}
}

// A hook ends with devguard, however that ends.
func TestHookEndsWithDevguard(t *testing.T) {
	t.Parallel()
	dir, _, env := hooked(t, blocking)
	for _, end := range []func(*devguard){
		func(d *devguard) { d.cmd.Process.Kill(); <-d.ended },
		func(d *devguard) {
			if code := d.stop(); code != 0 {
				t.Errorf("exit code %d", code)
			}
		},
	} {
		os.Remove(filepath.Join(dir, "has-read"))
		d := run(t, dir, env)
		if !poll(limit, func() bool { _, err := os.Stat(filepath.Join(dir, "has-read")); return err == nil }) {
			t.Fatal("the hook does not run")
		}
		end(d)
		d.nothingLeft()
	}
}
