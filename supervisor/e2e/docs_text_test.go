package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/goflags"
)

// TestDocsText holds what the pages say beside their blocks against what there is: links and their
// headings, verbs and flags of devguard, keys of devguard.toml, tests that are named; and docs/README.md has each page.
func TestDocsText(t *testing.T) {
	pages := readPages(t)
	checks := map[string]func(page) []string{
		"links": links, "verbs": verbs(helpOf(t)), "tests": namedTests(testNames(t)), "keys": keys(readText(t, "config.example.toml")),
		"index": indexed(pages[slices.IndexFunc(pages, func(p page) bool { return p.name == "docs/README.md" })]),
	}
	for name, check := range checks {
		t.Run(name, func(t *testing.T) {
			for _, p := range pages {
				for _, problem := range check(p) {
					t.Errorf("%s: %s", p.name, problem)
				}
			}
		})
	}
}

var (
	link     = regexp.MustCompile(`(?:\]\(|src="|srcset=")([^)"\s]+)[)"]`)
	heading  = regexp.MustCompile(`(?m)^#+ (.*)$`)
	codeSpan = regexp.MustCompile("`([^`\n]+)`")
)

func links(p page) (problems []string) {
	for _, m := range link.FindAllStringSubmatch(p.prose, -1) {
		if strings.Contains(m[1], "://") {
			continue
		}
		file, anchor, _ := strings.Cut(m[1], "#")
		target := p.name
		if file != "" {
			target = path.Join(path.Dir(p.name), file)
		}
		text, err := os.ReadFile(filepath.FromSlash(target))
		if info, stat := os.Stat(target); stat != nil || err != nil && !info.IsDir() {
			problems = append(problems, "the link "+m[1]+" leads nowhere")
		} else if anchor != "" && !slices.Contains(anchors(string(text)), anchor) {
			problems = append(problems, "the link "+m[1]+" leads to no heading")
		}
	}
	return problems
}

// anchors are what a renderer of Markdown makes of the headings.
func anchors(text string) (all []string) {
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		kept := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case strings.ContainsRune("`.,:;?!'\"()/*", r):
				return -1
			}
			return r
		}, strings.ToLower(m[1]))
		all = append(all, kept)
	}
	return all
}

// helpOf returns the help of devguard for each of its verbs.
func helpOf(t *testing.T) map[string]string {
	t.Helper()
	help := func(verb ...string) string {
		out, err := exec.Command(binary(t), append([]string{"help"}, verb...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	_, listed, _ := strings.Cut(help(), "COMMANDS:\n")
	listed, _, _ = strings.Cut(listed, "\n\n")
	all := map[string]string{"help": ""}
	for _, m := range regexp.MustCompile(`(?m)^ +([a-z-]+)`).FindAllStringSubmatch(listed, -1) {
		if m[1] != "help" {
			all[m[1]] = help(m[1])
		}
	}
	if len(all) < 10 {
		t.Fatalf("the help of devguard lists %d verbs", len(all))
	}
	return all
}

// verbs finds command lines of devguard whose verb or flags do not exist.
func verbs(help map[string]string) func(page) []string {
	return func(p page) (problems []string) {
		for _, m := range codeSpan.FindAllStringSubmatch(p.prose, -1) {
			line, _, _ := strings.Cut(m[1], ";")
			words := strings.Fields(line)
			if len(words) < 2 || words[0] != "devguard" || strings.HasPrefix(words[1], "-") {
				continue
			}
			text, ok := help[words[1]]
			if !ok {
				problems = append(problems, fmt.Sprintf("`%s`: there is no verb %s", m[1], words[1]))
				continue
			}
			for _, word := range words[2:] {
				if word == "--" || strings.ContainsAny(word, "|&") {
					break
				}
				if strings.HasPrefix(word, "-") && word != "-" && !flagOf(text, word) {
					problems = append(problems, fmt.Sprintf("`%s`: there is no flag %s", m[1], word))
				}
			}
		}
		return problems
	}
}

// flagOf reports whether help lists a flag, or go build has it.
func flagOf(help, word string) bool {
	name, _, _ := strings.Cut(word, "=")
	if regexp.MustCompile(`(?m)[ ,]` + regexp.QuoteMeta(name) + `( |,|=|$)`).MatchString(help) {
		return true
	}
	return slices.ContainsFunc(goflags.OnCommandLine(), func(f goflags.Named) bool { return "-"+f.Name == name })
}

// keys finds settings that devguard.toml does not have. docs/coming-from.md has those of other tools.
func keys(example string) func(page) []string {
	setting := regexp.MustCompile(`^([a-z_]+) = \S`)
	there := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^(?:# )?([a-z_]+) = `).FindAllStringSubmatch(example, -1) {
		there[m[1]] = true
	}
	return func(p page) (problems []string) {
		for _, m := range codeSpan.FindAllStringSubmatch(p.prose, -1) {
			if found := setting.FindStringSubmatch(m[1]); found != nil && !there[found[1]] && p.name != "docs/coming-from.md" {
				problems = append(problems, fmt.Sprintf("`%s`: devguard.toml has no key %s", m[1], found[1]))
			}
		}
		return problems
	}
}

// testNames are the names of all tests and fuzz tests.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	out, err := exec.Command("git", "grep", "--untracked", "-hoE", `^func (Test|Fuzz)[A-Za-z0-9_]+`, "--", "*_test.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for line := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		names[strings.TrimPrefix(line, "func ")] = true
	}
	return names
}

// namedTests finds names of tests that do not exist, also in the blocks.
func namedTests(names map[string]bool) func(page) []string {
	named := regexp.MustCompile(`\b(Test|Fuzz)[A-Z][A-Za-z0-9_]*`)
	return func(p page) (problems []string) {
		var text strings.Builder
		text.WriteString(p.prose)
		for _, b := range p.blocks {
			text.WriteString(b.text + b.reason)
		}
		for _, name := range named.FindAllString(text.String(), -1) {
			if !names[name] {
				problems = append(problems, "there is no "+name)
			}
		}
		return problems
	}
}

func indexed(index page) func(page) []string {
	return func(p page) []string {
		rel, err := filepath.Rel("docs", filepath.FromSlash(p.name))
		rel = filepath.ToSlash(rel)
		folder, _, below := strings.Cut(rel, "/")
		if err == nil && (p.name == index.name || strings.Contains(index.prose, "]("+rel+")") || below && folder != ".." && strings.Contains(index.prose, "]("+folder+")")) {
			return nil
		}
		return []string{"docs/README.md has no link to it or its folder"}
	}
}

// TestDocsTextBites: each check finds what it is about.
func TestDocsTextBites(t *testing.T) {
	help := map[string]string{"run": "   --name NAME, -n NAME  x", "wait": ""}
	for _, c := range []struct {
		name  string
		check func(page) []string
		prose string
		finds int
	}{
		{"a file that is there", links, "[a](docs/json.md) [b](docs) [c](https://example.com/x)", 0},
		{"a heading that is there", links, "[a](docs/json.md#devguard-doctor---json)", 0},
		{"no such file", links, "[a](docs/none.md) <img src=\"docs/images/none.png\">", 2},
		{"no such heading", links, "[a](docs/json.md#none)", 1},
		{"verbs and flags that are there", verbs(help), "`devguard run --name x -race . -- --none` `devguard wait && x --y`", 0},
		{"no such verb", verbs(help), "`devguard walk`", 1},
		{"no such flag", verbs(help), "`devguard run --nam x` `devguard wait --name x`", 2},
		{"keys", keys("# command = []\nstdin = false\n"), "`stdin = true` `command = [\"x\"]` `stdi = true` `x == y`", 1},
		{"tests", namedTests(map[string]bool{"TestA": true}), "`TestA`, `TestB/sub`", 1},
		{"not in the index", indexed(page{name: "docs/README.md", prose: "[json](json.md)"}), "", 1},
	} {
		if got := c.check(page{name: "README.md", prose: c.prose}); len(got) != c.finds {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
