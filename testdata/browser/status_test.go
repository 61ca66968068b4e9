package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/devguard/devguard/dbguard/pgtest"
	"github.com/devguard/devguard/supervisor/testneed"
)

// axeVersion is the axe-core that looks for barriers.
const axeVersion = "4.10.3"

// statusPage is the status page of a devguard, and what devguard runs: an app with a Postgres.
type statusPage struct {
	*tab
	d   *devguard
	dir string
	pg  *pgtest.Server
}

// openStatusPage runs pgapp, whose generations each leave a session with a prepared statement and one
// in a transaction, and opens the status page.
func openStatusPage(t *testing.T) *statusPage {
	t.Helper()
	pg := pgtest.Start(t)
	pg.CreateRole(t, "dev", "secret-of-dev", "")
	pg.CreateDB(t, "app", "dev")
	app := pgtest.Conn{User: "dev", Database: "app"}
	dir := filepath.Join(t.TempDir(), "shop")
	if err := os.CopyFS(dir, os.DirFS("../apps/pgapp")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "setup.sql"), "create table if not exists things (id int primary key, n int)")
	write(t, filepath.Join(dir, "devguard.toml"), "[app]\nenv_files = [\".env\"]\n[[hook]]\nname = \"setup\"\nwatch = [\"setup.sql\"]\nrun = \"go run . setup.sql\"\nmigrates = true\n")
	write(t, filepath.Join(dir, ".env"), fmt.Sprintf("DATABASE_URL=%s\nPORT=%d\nPGAPP_PLANS=prepared tx\n", pg.URL(app), pgtest.FreePort(t)))
	p := &statusPage{d: run(t, dir, "--db", "auto", "--name", "shop"), dir: dir, pg: pg}
	p.d.wait(0, "instance ready")
	p.tab = openTab(t)
	p.open(p.address())
	return p
}

// address is what `devguard status --open` prints where there is no browser.
func (p *statusPage) address() string {
	p.t.Helper()
	path, err := devguardBinary()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command(path, "status", "--open")
	cmd.Dir = p.dir
	cmd.Env = []string{"PATH=", "GORACE=atexit_sleep_ms=0"}
	out, err := cmd.CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || !strings.Contains(lines[len(lines)-1], "/page/#") {
		p.t.Fatalf("%v: %s", err, out)
	}
	return lines[len(lines)-1]
}

const (
	pageHeadline = `document.querySelector("h1")?.textContent`
	pageSessions = `document.querySelectorAll(".sessions li").length`
)

// statements are the numbers of the chart, by generation.
func statements(gen int, n string) string {
	return fmt.Sprintf(`document.querySelector('.axis [data-gen="%d"]')?.dataset.last === %q`, gen, n)
}

// row is a generation in the timeline.
func row(gen int) string {
	return fmt.Sprintf(`document.querySelector('.restarts [data-gen="%d"]')`, gen)
}

// TestStatusPage: what the page shows as an app is edited, broken, mended and reset, all without being
// loaded again and by the keyboard alone; then devguard itself is started again.
func TestStatusPage(t *testing.T) {
	t.Parallel()
	p := openStatusPage(t)
	p.await(pageHeadline + ` === "Generation 1 serves"`)
	if place := p.eval(`[location.hash, location.search, document.referrer, document.cookie].join("")`); place != `""` {
		t.Errorf("left in the address: %s", place)
	}
	p.await(pageSessions + " === 2")
	p.await(statements(1, "1"))
	p.eval(`window.stays = true`) // until the page is loaded again

	edit(t, filepath.Join(p.dir, "main.go"), `const version = "v1"`, `const version = "v2"`)
	p.await(pageHeadline + ` === "Generation 2 serves"`)
	p.await(row(2) + `.querySelectorAll(".part").length > 2`)
	p.await(row(2) + `.textContent.includes("main.go changed")`)
	p.await(statements(1, "1") + " && " + statements(2, "1"))
	if fall := p.eval(`document.querySelectorAll(".chart .line")[0].getAttribute("d").endsWith("V96")`); fall != "true" {
		t.Error("the chart does not fall to zero at the restart")
	}

	p.splitsTimes()
	p.breaksAndMends()
	p.resetsByKeyboard()
	p.unfoldsByKeyboard()
	for _, theme := range []string{"light", "dark"} {
		p.barriers(theme)
	}
	p.saidNothing()
	p.outlivesDevguard()
	if stays := p.eval(`window.stays`); stays != "true" {
		t.Error("the page was loaded again")
	}
	if log := p.d.log(); strings.Contains(log, "/page/#") {
		t.Errorf("an address with a code was logged: %s", log)
	}
}

// splitsTimes: where the time of a generation went, by what is known of it.
func (p *statusPage) splitsTimes() {
	for _, c := range []struct{ name, past, before, want string }{
		{"everything",
			`{hooks: [], builds: [{outcome: "finished", ms: 9}], ready: {ms: 30, settle_ms: 50, hooks_ms: 7, build_ms: 300, compile_ms: 200, link_ms: 100, stop_ms: 5, drain_ms: 6, start_ms: 40}}`,
			`{drained: [{ms: 99}]}`,
			`settle 50 hooks 7 compile 200 link 100 stop 5 drain 6 start 10 ready 30`},
		{"compile and link not apart", `{hooks: [], builds: [], ready: {ms: 30, build_ms: 300, start_ms: 30}}`, `undefined`, `build 300 ready 30`},
		{"as the lines of the log say", `{hooks: [{ms: 3}, {ms: 4}], builds: [{outcome: "failed", ms: 8}, {outcome: "finished", ms: 9}], ready: {ms: 1}}`,
			`{drained: [{ms: 2}, {ms: 5}]}`, `hooks 7 build 9 drain 5 ready 1`},
		{"not started", `{hooks: [], builds: [{outcome: "failed", ms: 8}]}`, `undefined`, ``},
	} {
		call := fmt.Sprintf(`import("/page/restarts.js").then((m) => m.split(%s, %s).flat().join(" "))`, c.past, c.before)
		if got := do(p.tab, chromedp.Evaluate[string](call, chromedp.EvalAwaitPromise)); got != c.want {
			p.t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	built := `{hooks: [{name: "gen", state: "held"}], history: [], builds: {mode: "auto", fast: 5, verified: 2, differed: 0,
		refused: [{reason: "imports changed", builds: 3}]}}`
	p.eval(`document.body.append(Object.assign(document.createElement("div"), {id: "try"})); 1`)
	text := do(p.tab, chromedp.Evaluate[string](`Promise.all([import("/page/dom.js"), import("/page/rest.js")]).then(([dom, rest]) => {
		const at = document.querySelector("#try");
		dom.draw(at, rest.builds(`+built+`));
		const text = at.textContent;
		at.remove();
		return text;
	})`, chromedp.EvalAwaitPromise))
	if text != "fast5by go3verified2Left to the go commandimports changed3 buildsHooksgenheld" {
		p.t.Errorf("builds: %s", text)
	}
}

// breaksAndMends: an error shows with its lines, and goes.
func (p *statusPage) breaksAndMends() {
	file := filepath.Join(p.dir, "main.go")
	edit(p.t, file, `const version = "v2"`, `const version = <b>"v2"</b>`)
	p.await(`document.querySelector(".failure .hit")?.textContent.includes('<b>"v2"</b>')`)
	if n := p.eval(`document.querySelector(".failure .code").querySelectorAll(".line").length`); n != "7" {
		p.t.Errorf("%s lines around the error", n)
	}
	if name := p.eval(pageHeadline); name != `"Generation 2 serves"` {
		p.t.Errorf("with an error: %s", name)
	}
	p.shoot("page-error")
	edit(p.t, file, `<b>"v2"</b>`, `"v3"`)
	p.await(`document.querySelector(".failure") === null`)
	p.await(pageHeadline + ` === "Generation 3 serves"`)
	p.await(pageSessions + ` === 2 && document.querySelector('.sessions [data-state="idle in transaction"]')`)
}

// tabTo presses the tab key until the element has the focus.
func (p *statusPage) tabTo(selector string) {
	p.t.Helper()
	for range 40 {
		do(p.tab, chromedp.KeyEvent("\t"))
		if p.eval(fmt.Sprintf(`document.activeElement === document.querySelector(%q)`, selector)) == "true" {
			return
		}
	}
	p.t.Fatalf("the tab key does not lead to %s, but to %s", selector, p.eval(`document.activeElement.outerHTML`))
}

// resetsByKeyboard: the button ends the sessions, and the app goes on.
func (p *statusPage) resetsByKeyboard() {
	pid := p.eval(`document.querySelector(".facts").textContent.match(/pid \d+/)[0]`)
	before := p.sessions()
	p.tabTo("#reset")
	do(p.tab, chromedp.KeyEvent("\r"))
	p.await(`document.querySelector(".notice")?.textContent.includes("2 sessions ended, 1 prepared statement gone, 1 rolled back")`)
	p.await(pageSessions + " === 0 && " + statements(3, "0"))
	for _, one := range p.sessions() {
		if slices.Contains(before, one) {
			p.t.Errorf("session %s is still there", one)
		}
	}
	if now := p.eval(`document.querySelector(".facts").textContent.match(/pid \d+/)[0]`); now != pid || len(before) != 2 {
		p.t.Errorf("%s became %s; %d sessions were there", pid, now, len(before))
	}
}

// sessions are the pids of the app's sessions, as Postgres has them.
func (p *statusPage) sessions() (pids []string) {
	for _, row := range p.pg.Query(p.t, "select pid from pg_stat_activity where usename = 'dev' and (state = 'idle in transaction' or query = 'select 1')") {
		pids = append(pids, row[0])
	}
	return pids
}

// unfoldsByKeyboard: a generation shows more, and a restart is asked for.
func (p *statusPage) unfoldsByKeyboard() {
	p.tabTo(".restarts summary")
	do(p.tab, chromedp.KeyEvent(" "))
	p.await(`document.querySelector(".restarts details").open && document.querySelector(".more").textContent.includes("started")`)
	p.tabTo("#restart")
	do(p.tab, chromedp.KeyEvent("\r"))
	p.await(pageHeadline + ` === "Generation 4 serves"`)
	if open := p.eval(row(3) + `.querySelector("details").open`); open != "true" {
		p.t.Error("what was unfolded is not any more")
	}
	p.await(`document.querySelector(".notice") === null`)
}

// barriers has axe-core look at the page in a theme, wide and at the width of a phone.
func (p *statusPage) barriers(theme string) {
	p.t.Helper()
	do(p.tab, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"}}
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
		return err
	}))
	p.eval(axe(p.t) + "; 1")
	for name, size := range map[string][2]int64{"": {1180, 1320}, "-phone": {390, 1000}} {
		do(p.tab, chromedp.EmulateViewport(size[0], size[1]))
		if wide := p.eval(`document.documentElement.scrollWidth - innerWidth`); wide != "0" {
			p.t.Errorf("%s%s: the page is %s pixels too wide", theme, name, wide)
		}
		var found struct {
			Passed     int
			Violations []struct{ ID, Impact, Where string }
		}
		text := do(p.tab, chromedp.Evaluate[[]byte](`axe.run().then((r) => ({Passed: r.passes.length, Violations: r.violations.map((v) =>
			({ID: v.id, Impact: v.impact, Where: v.nodes.map((n) => n.html).join(" ")}))}))`, chromedp.EvalAwaitPromise))
		if err := json.Unmarshal(text, &found); err != nil {
			p.t.Fatal(err)
		}
		for _, v := range found.Violations {
			p.t.Errorf("%s%s: %s (%s): %s", theme, name, v.ID, v.Impact, v.Where)
		}
		if found.Passed < 20 {
			p.t.Errorf("%s%s: axe-core has looked at %d things", theme, name, found.Passed)
		}
		p.eval(`document.activeElement.blur(); document.querySelectorAll("details").forEach((d) => { d.open = false }); scrollTo(0, 0)`)
		p.shoot("page-" + theme + name)
	}
}

// axe returns the script of axe-core, which npm fetches once.
func axe(t *testing.T) string {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		testneed.Skip(t, "npm", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		testneed.Skip(t, "npm", err)
	}
	dir := filepath.Join(cache, "devguard-test", "axe-core-"+axeVersion)
	script := filepath.Join(dir, "node_modules", "axe-core", "axe.min.js")
	if _, err := os.Stat(script); err != nil {
		install := exec.Command(npm, "install", "--prefix", dir, "--ignore-scripts", "--no-audit", "--no-fund", "axe-core@"+axeVersion)
		if out, err := install.CombinedOutput(); err != nil {
			t.Fatalf("npm install axe-core: %v\n%s", err, out)
		}
	}
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// outlivesDevguard: the page says when devguard has ended, and goes on with the next one. A page
// whose address was used is not let in.
func (p *statusPage) outlivesDevguard() {
	used := p.address()
	once := openTab(p.t)
	once.open(used)
	once.await(pageHeadline + `?.includes("serves")`)
	again := openTab(p.t)
	again.open(used)
	again.await(`document.body.dataset.link === "refused" && document.querySelector(".notice").textContent.includes("devguard status --open")`)
	if shown := again.eval(`document.querySelector("h1")`); shown != "null" {
		p.t.Errorf("a page that is not let in shows %s", shown)
	}

	p.d.stop()
	u, err := url.Parse(used)
	if err != nil {
		p.t.Fatal(err)
	}
	p.await(fmt.Sprintf(`document.body.dataset.link === "lost" && document.querySelector(".notice").textContent.includes(%q)`, u.Host))
	p.d = run(p.t, p.dir, "--db", "auto", "--name", "shop")
	p.await(`document.body.dataset.link === "live" && ` + pageHeadline + ` === "Generation 1 serves"`)
	p.await(`document.querySelector(".notice") === null`)
}
