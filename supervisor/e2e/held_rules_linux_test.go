package e2e_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/devguard/devguard/supervisor/testneed"
)

// listens builds the app whose sockets are described by a file.
var listensApp = sync.OnceValues(func() (string, error) { return buildListens("listens") })

func buildListens(name string, env ...string) (string, error) {
	out := filepath.Join(scratch, name)
	cmd := exec.Command("go", "build", "-o", out, "main.go")
	cmd.Dir = filepath.Join("testdata", "apps", "listens")
	cmd.Env = append(os.Environ(), env...)
	if b, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, b)
	}
	return out, nil
}

// holding is one row of TestHeldSocketRules. In its texts @PORT is a free port and @NEXT the one
// after it.
type holding struct {
	scripts []string // one for each save; the tag is made
	serves  string   // the address that the last of them serves; "" is 127.0.0.1:@PORT, as for the others
	says    []string // why sockets are let go or not held, in order
	gone    string   // an address that refuses in the end
	answers string   // what the last of them answers, beside its tag
	program []string // before the app's own
	build   []string // environment of go build for the app
	needs   string   // a program that program starts
	delve   bool     // whether program starts dlv
	root    bool     // whether the app needs that
}

const plain = "listen 127.0.0.1:@PORT"

// inShells runs the app two shells below.
var inShells = []string{"sh", "-c", `sh -c '"$0" "$@"; exit $?' "$0" "$@"; exit $?`}

// TestHeldSocketRules: whatever the app does with its sockets, it serves in the end what it
// serves without devguard's help, and devguard says why it has let go of one.
func TestHeldSocketRules(t *testing.T) {
	ended := func(gen int) string { return fmt.Sprintf("generation %d ended, and has not taken it", gen) }
	dialled := func(gen int) string {
		return fmt.Sprintf("a generation ended without having taken what was held for it, and generation %d, for which nothing was held, is ready", gen)
	}
	for name, row := range map[string]holding{
		"the same again":                    {scripts: []string{plain, plain, plain}},
		"dual stack":                        {scripts: []string{"listen [::]:@PORT", "listen [::]:@PORT", "listen [::]:@PORT"}},
		"loopback, then every address":      {scripts: []string{plain, "listen 0.0.0.0:@PORT", "listen 0.0.0.0:@PORT"}, says: []string{"generation 2 binds 0.0.0.0:@PORT"}},
		"loopback, then dual stack":         {scripts: []string{plain, "listen [::]:@PORT"}, says: []string{"generation 2 binds [::]:@PORT"}},
		"dual stack, then loopback":         {scripts: []string{"listen [::]:@PORT", plain}, says: []string{"generation 2 binds 127.0.0.1:@PORT"}},
		"every address, then dual stack":    {scripts: []string{"listen 0.0.0.0:@PORT", "listen [::]:@PORT"}, says: []string{"generation 2 binds [::]:@PORT"}},
		"IPv4 and IPv6 loopback":            {scripts: []string{plain + "\nlisten [::1]:@PORT", "listen [::1]:@PORT\n" + plain}},
		"IPV6_V6ONLY":                       {scripts: []string{"listen [::]:@PORT", "listen [::]:@PORT v6only"}, serves: "[::1]:@PORT", says: []string{"generation 2 sets another IPV6_V6ONLY"}},
		"SO_KEEPALIVE":                      {scripts: []string{plain, plain + " keepalive"}, says: []string{"generation 2 sets another SO_KEEPALIVE"}},
		"SO_RCVBUF":                         {scripts: []string{plain, plain + " rcvbuf", plain + " rcvbuf"}, says: []string{"generation 2 sets another SO_RCVBUF"}},
		"SO_SNDBUF":                         {scripts: []string{plain, plain + " sndbuf", plain + " sndbuf"}, says: []string{"generation 2 sets another SO_SNDBUF"}},
		"IP_FREEBIND":                       {scripts: []string{plain + " tcp", plain + " tcp freebind", plain + " tcp freebind"}, says: []string{"generation 2 sets another IP_FREEBIND"}},
		"IP_TRANSPARENT":                    {scripts: []string{plain + " tcp", plain + " tcp transparent"}, says: []string{"generation 2 sets another IP_TRANSPARENT"}, root: true},
		"an option that may be set later":   {scripts: []string{plain + " tcp", plain + " tcp timeout"}, answers: "user timeout 77000 ms"},
		"and one that is no longer set":     {scripts: []string{plain + " tcp timeout", plain + " tcp"}, answers: "user timeout 0 ms"},
		"SO_BINDTODEVICE":                   {scripts: []string{plain, plain + " device", plain + " device"}, says: []string{"generation 2 sets another SO_BINDTODEVICE"}},
		"MPTCP in one generation":           {scripts: []string{plain, plain + " tcp", plain}, says: []string{"generation 2 sets another SO_PROTOCOL", "generation 3 sets another SO_PROTOCOL"}},
		"SO_REUSEPORT":                      {scripts: []string{plain + " reuseport\n" + plain + " reuseport", plain + " reuseport"}},
		"SO_REUSEPORT, then none":           {scripts: []string{plain + " reuseport", plain}},
		"then SO_REUSEPORT":                 {scripts: []string{plain, plain + " reuseport\n" + plain + " reuseport"}, says: []string{"generation 2 sets another SO_REUSEPORT"}},
		"a duplicated descriptor":           {scripts: []string{plain + " dup", plain + " dup"}, says: []string{"it cannot be handed over: the descriptor of the new socket was duplicated before bind"}},
		"in an epoll set before bind":       {scripts: []string{plain + " epoll", plain + " epoll"}, says: []string{"it cannot be handed over: the new socket was in an epoll set before bind"}},
		"two servers fall back":             {scripts: []string{"fallback @PORT\nfallback @PORT", "fallback @PORT\nfallback @PORT"}, serves: "127.0.0.1:@NEXT"},
		"looks for a free port first":       {scripts: []string{"probe 127.0.0.1:@PORT\n" + plain, "probe 127.0.0.1:@PORT\n" + plain}},
		"port 0 beside":                     {scripts: []string{"listen 127.0.0.1:0\n" + plain, "listen 127.0.0.1:0\n" + plain}},
		"shuts its listener down":           {scripts: []string{"shutdown\n" + plain, "shutdown\n" + plain, plain}},
		"a child inherits the listener":     {scripts: []string{plain + "\ninherit", plain + "\ninherit", plain}},
		"executes itself again":             {scripts: []string{plain + "\nreexec", plain + "\nreexec"}},
		"under a storm of signals":          {scripts: []string{"storm\n" + plain, "storm\n" + strings.Repeat("probe 127.0.0.1:@PORT\n", 200) + plain}},
		"1,000 sockets":                     {scripts: []string{"many @PORT 1000", "many @PORT 1000"}},
		"a Unix socket beside":              {scripts: []string{"unix app.sock\n" + plain, "unix app.sock\n" + plain, "unix app.sock\n" + plain}},
		"a 32-bit child":                    {scripts: []string{plain, plain, plain}, build: []string{"GOARCH=386", "CGO_ENABLED=0"}, program: inShells},
		"with cgo":                          {scripts: []string{plain, plain, plain}, build: []string{"CGO_ENABLED=1", "GOFLAGS=-tags=netcgo"}},
		"without cgo":                       {scripts: []string{plain, plain, plain}, build: []string{"CGO_ENABLED=0"}},
		"a seccomp filter of its own":       {scripts: []string{plain, plain, plain}, program: []string{"denies", "pidfd_open"}},
		"a tree of shells":                  {scripts: []string{plain, plain, plain}, program: inShells},
		"npm run dev":                       {scripts: []string{plain, plain, plain}, program: []string{"npm", "run", "dev", "--"}},
		"make run":                          {scripts: []string{plain, plain, plain}, program: []string{"sh", "-c", `exec make -s run APP="$0"`}, needs: "make"},
		"prefork workers":                   {scripts: []string{plain + "\ninherit\ninherit\ninherit", plain + "\ninherit\ninherit", plain}},
		"dials its own port first":          {scripts: []string{plain, "dial 127.0.0.1:@PORT\n" + plain, "dial 127.0.0.1:@PORT\n" + plain}, says: []string{ended(2), dialled(3)}},
		"waits until its port is free":      {scripts: []string{plain, "waitfree 127.0.0.1:@PORT\n" + plain, "waitfree 127.0.0.1:@PORT\n" + plain}, says: []string{"generation 2 is ready for 5s, and has not taken it", "generation 2 bound 127.0.0.1:@PORT only when devguard had let go of it"}},
		"kills who has its port":            {scripts: []string{plain, "kill @PORT\n" + plain, plain, plain}, says: []string{"the process that kept it was killed"}},
		"another port":                      {scripts: []string{plain, "listen 127.0.0.1:@NEXT"}, serves: "127.0.0.1:@NEXT", says: []string{"generation 2 is ready for 5s, and has not taken it"}, gone: "127.0.0.1:@PORT"},
		"closed while it runs":              {scripts: []string{plain, "listen 127.0.0.1:@PORT\nlisten 127.0.0.1:@NEXT\nsleep 1s\nclose"}, serves: "-", says: []string{"generation 2 has closed it", "generation 2 has closed it"}, gone: "127.0.0.1:@PORT"},
		"crashes before it listens, mended": {scripts: []string{plain, plain, "exit 1", plain, plain}, says: []string{ended(3)}},
		"takes it, and ends for good":       {scripts: []string{plain, plain + "\nsleep 1200ms\nexit 0"}, says: []string{"the app is down for 1m0s, and nothing was changed"}, gone: "127.0.0.1:@PORT", serves: "-"},
		"under delve": {scripts: []string{plain, plain, plain}, program: []string{"sh", "-c",
			`exec dlv exec --headless --continue --accept-multiclient --check-go-version=false --listen=127.0.0.1:0 "$0" -- "$@"`}, delve: true},
		"under strace": {scripts: []string{plain, plain, plain}, program: []string{"strace", "-f", "-o", "/dev/null"}},
	} {
		for _, hold := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/hold=%v", name, hold), func(t *testing.T) {
				t.Parallel()
				row.play(t, hold)
			})
		}
	}
}

// command is what devguard runs.
func (row holding) command(t *testing.T) []string {
	app, err := listensApp()
	if len(row.build) > 0 {
		app, err = buildListens("listens-"+strings.NewReplacer("=", "-", "/", "-").Replace(strings.Join(row.build, "-")), row.build...)
	}
	if err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := exec.Command(app).Run(); !errors.As(err, &exit) { // it wants an argument, and exits
		testneed.Skip(t, "i386", err)
	}
	if row.root && os.Getuid() != 0 {
		testneed.Skip(t, "root", errors.New("the option is for root alone"))
	}
	if row.needs != "" {
		if _, err := exec.LookPath(row.needs); err != nil {
			testneed.Skip(t, row.needs, err)
		}
	}
	program := append(slices.Clone(row.program), app, "sockets")
	if row.delve {
		tools, err := debugTools()
		if err != nil {
			testneed.Skip(t, "dlv", err)
		}
		for i := range program {
			program[i] = strings.Replace(program[i], "exec dlv ", "exec "+tools["dlv"]+" ", 1)
		}
	}
	if program[0] == "denies" {
		program[0] = deniesApp(t)
	}
	if program[0], err = exec.LookPath(program[0]); err != nil {
		testneed.Skip(t, row.program[0], err)
	}
	return program
}

func (row holding) play(t *testing.T, hold bool) {
	program := row.command(t)
	ports := 2
	if strings.HasPrefix(row.scripts[0], "many") {
		ports = 1000
	}
	fill := places(ports)
	script := func(i int) string { return fmt.Sprintf("tag save%d\n%s\n", i, fill(row.scripts[i])) }
	dir := project(t, map[string]string{"sockets": script(0), "package.json": `{"scripts": {"dev": "env"}}`, "Makefile": "run:\n\t$(APP) sockets\n", "devguard.toml": fmt.Sprintf(
		"[app]\nhold_sockets = %v\ncommand = [%s]\n[watch]\ninclude = [\"sockets\"]\n", hold, quoted(program))})
	d := run(t, dir, nil)
	for i := range row.scripts {
		addr, mark := fill("127.0.0.1:@PORT"), d.mark()
		if row.serves != "" && i == len(row.scripts)-1 {
			addr = fill(row.serves)
		}
		if i > 0 {
			saveWhole(t, filepath.Join(dir, "sockets"), script(i))
		}
		switch {
		case strings.HasPrefix(row.scripts[i], "exit"):
			d.wait(mark, "instance exited", func(l line) bool { return l.int("code") == 1 })
			d.wait(mark, "instance waiting", nil)
			d.wait(mark, "instance exited", nil)
		case addr == "-":
			d.wait(mark, "instance ready", nil)
		default:
			d.wait(mark, "instance ready", nil)
			d.serves("http://"+addr, fmt.Sprintf("save%d", i))
		}
	}
	if row.answers != "" {
		d.serves("http://"+fill("127.0.0.1:@PORT"), row.answers)
	}
	if ports > 2 && hold {
		// And one to devguard. Those of the generation before are open for half a second more.
		if n := 0; !poll(limit, func() bool { n = countSockets(d.keeper(t)); return n == maxHeld+1 }) {
			t.Errorf("%d sockets are held, want %d", n-1, maxHeld)
		}
	}
	if row.gone != "" && !poll(2*limit, func() bool { return refuses(fill(row.gone)) }) {
		t.Errorf("%s does not refuse", fill(row.gone))
	}
	if hold && row.gone == "" {
		d.takesAll(dir)
	}
	if !hold {
		row.says = nil
	}
	var said, want []string
	for _, reason := range row.says {
		want = append(want, fill(reason))
	}
	poll(limit, func() bool { said = d.reasons(); return len(said) >= len(want) })
	if !slices.Equal(said, want) {
		t.Errorf("says %q\nwant %q\n%s", said, want, d.log())
	}
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// takesAll waits until the app has taken all that is held: what it has not would be let go of some seconds
// later, and be said then.
func (d *devguard) takesAll(dir string) {
	d.t.Helper()
	var left []string
	if !poll(limit, func() bool {
		left = nil
		for _, a := range statusIn(d.t, dir).Sockets.Addresses {
			if a.Kind == "held" || a.Kind == "handed" {
				left = append(left, a.Address+": "+a.State)
			}
		}
		return len(left) == 0
	}) {
		d.t.Errorf("not taken: %q", left)
	}
}

// maxHeld bounds how many sockets are held.
const maxHeld = 128

// countSockets returns how many sockets a process has.
func countSockets(pid int) int {
	n := 0
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, link := range links {
		if target, _ := os.Readlink(link); strings.HasPrefix(target, "socket:") {
			n++
		}
	}
	return n
}

// quoted is a list of TOML.
func quoted(words []string) string {
	var out []string
	for _, w := range words {
		out = append(out, "'''"+w+"'''")
	}
	return strings.Join(out, ", ")
}

// places returns what fills in @PORT and @NEXT, so that n ports from @PORT on are free. They are none
// of those that the system gives to connections.
func places(n int) func(string) string {
	for {
		port := 10000 + rand.IntN(20000)
		next := port
		for next < port+n && refuses(fmt.Sprintf("127.0.0.1:%d", next)) {
			next++
		}
		if next == port+n {
			return strings.NewReplacer("@PORT", fmt.Sprint(port), "@NEXT", fmt.Sprint(port+1)).Replace
		}
	}
}

// refuses reports whether nobody listens there.
func refuses(addr string) bool {
	c, err := net.Dial("tcp", addr)
	if err == nil {
		c.Close()
	}
	return err != nil
}

// reasons are why sockets were let go or are not held.
func (d *devguard) reasons() []string {
	var out []string
	for _, l := range d.since(0) {
		if l.Msg == "listening socket let go" || l.Msg == "listening sockets are not held" {
			out = append(out, l.str("reason"))
		}
	}
	return out
}
