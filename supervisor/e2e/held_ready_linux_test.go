package e2e_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/testneed"
)

// TestHeldSocketReadiness: a connect proves nothing while the socket is held. The app listens
// 100 ms after its start, and is not ready before.
func TestHeldSocketReadiness(t *testing.T) {
	for rule, toml := range map[string]string{
		"listening": "", "tcp": "[ready]\ntcp = 'ADDR'\n", "http": "[ready]\nhttp = 'http://ADDR/'\n",
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			addr := "127.0.0.1:" + freePort(t)
			d, dir := heldAt(t, addr, strings.ReplaceAll(toml, "ADDR", addr), nil)
			mark := d.mark()
			stamp := filepath.Join(t.TempDir(), "stamp")
			saveWhole(t, filepath.Join(dir, "sockets"), "tag save1\nsleep 100ms\nstamp "+stamp+"\nlisten "+addr)
			l := d.wait(mark, "instance ready", nil)
			if !l.readyBy(rule) || l.time(t).Before(stamped(t, stamp)) {
				t.Errorf("ready too early: %s", l.Raw)
			}
			d.serves("http://"+addr, "save1")
			d.stop()
		})
	}
}

// stamped reads the time that an app has written into a file.
func stamped(t *testing.T, file string) time.Time {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestDebuggerIsNotTheApp: a debugger listens first. The app is ready when it answers itself, 3 s later. Any
// other socket that comes first and answers makes it ready.
func TestDebuggerIsNotTheApp(t *testing.T) {
	app, err := listensApp()
	if err != nil {
		t.Fatal(err)
	}
	node, noNode := exec.LookPath("node")
	server := "require('http').createServer((_, res) => res.end('save0'))"
	late := "setTimeout(() => " + server + ".listen(@PORT, '127.0.0.1'), 3000)"
	for name, row := range map[string]struct {
		program string // a copy of the app by that name starts it, and listens itself
		command []string
		first   bool // whether the first socket makes it ready
	}{
		"dlv":          {program: "dlv"},
		"control":      {program: "parent", first: true},
		"node":         {command: []string{node, "--inspect=127.0.0.1:@NEXT", "server.js"}},
		"node control": {command: []string{node, "twice.js"}, first: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fill := places(2)
			command := row.command
			if row.program != "" {
				command = []string{filepath.Join(t.TempDir(), row.program), "sockets"}
				data, err := os.ReadFile(app)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(command[0], data, 0o700); err != nil {
					t.Fatal(err)
				}
			} else if noNode != nil {
				testneed.Skip(t, "node", noNode)
			}
			dir := project(t, map[string]string{
				"sockets": fill("listen 127.0.0.1:@NEXT\nchild " + app + " late"), "late": fill("tag save0\nsleep 3s\nlisten 127.0.0.1:@PORT"),
				"server.js":     fill(late),
				"twice.js":      fill(server + ".listen(@NEXT, '127.0.0.1'); " + late),
				"devguard.toml": fill("[app]\ncommand = [" + quoted(command) + "]\n[ready]\nhttp = '/'\n"),
			})
			d := run(t, dir, nil)
			l := d.ready()
			if early := l.int("ms") < 3000; early != row.first {
				t.Errorf("ready: %s", l.Raw)
			}
			d.serves("http://"+fill("127.0.0.1:@PORT"), "save0")
			d.stop()
		})
	}
}

// TestHeldSocketQueue: while nobody accepts, more connections wait than the app's own queue has
// places (128). When it turns out that nobody is coming, they are ended.
func TestHeldSocketQueue(t *testing.T) {
	d, dir, addr := heldApp(t, nil)
	mark := d.mark()
	saveWhole(t, filepath.Join(dir, "sockets"), "sleep 1h")
	d.wait(mark, "instance started", nil)
	for i := range 300 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		defer c.Close()
	}
	d.wait(mark, "listening socket let go", nil)
	if !refuses(addr) {
		t.Error("somebody still listens")
	}
	d.stop()
}

// TestServerSpeaksFirst: who waits for the server to begin (SMTP, MySQL) waits for the next generation
// alone, from when the old one has closed its listener. Connections that cannot be accepted before they
// have sent something are not established for the kernel until a second has passed.
func TestServerSpeaksFirst(t *testing.T) {
	t.Parallel()
	d, dir, addr := heldApp(t, nil)
	d.save(dir, addr, 1)
	mark := d.mark()
	saveWhole(t, filepath.Join(dir, "sockets"), "tag save2\nlinger 2s\nlisten "+addr)
	d.wait(mark, "instance ready", nil)
	mark = d.mark()
	app := d.named(t, "/listens sockets")
	_, port, _ := strings.Cut(addr, ":")
	saveWhole(t, filepath.Join(dir, "sockets"), "tag save3\nlisten "+addr)
	if !poll(limit, func() bool { return !holdsPort(app, port) }) {
		t.Fatalf("the app does not close its listener\n%s", d.log())
	}
	var client net.Conn
	established := func() bool {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		client = c
		return isEstablished(c)
	}
	if !poll(limit, established) || d.count(mark, "instance exited") > 0 {
		t.Fatalf("no connection is established while the app stops\n%s", d.log())
	}
	began := time.Now()
	if answer, err := io.ReadAll(client); !strings.Contains(string(answer), "save3") {
		t.Errorf("the server said %q, %v", answer, err)
	}
	took, started := time.Now(), d.wait(mark, "instance started", nil)
	t.Logf("the server spoke %v after the connect, %v after it was started", took.Sub(began), took.Sub(started.time(t)))
	d.stop()
}

// isEstablished reports whether the server's end of a connection on this machine is.
func isEstablished(c net.Conn) bool {
	hex := func(a net.Addr) string { return fmt.Sprintf(":%04X", a.(*net.TCPAddr).Port) }
	table, _ := os.ReadFile("/proc/net/tcp")
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) > 3 && strings.HasSuffix(f[1], hex(c.RemoteAddr())) && strings.HasSuffix(f[2], hex(c.LocalAddr())) {
			return f[3] == "01"
		}
	}
	return false
}

// TestHeldSocketNotReady: a generation that is not ready in time, and has not taken the socket, leaves nobody
// waiting, and the next one is held again. Without held sockets the port refuses at once.
func TestHeldSocketNotReady(t *testing.T) {
	for _, hold := range []bool{false, true} {
		t.Run(fmt.Sprintf("hold=%v", hold), func(t *testing.T) {
			t.Parallel()
			addr := "127.0.0.1:" + freePort(t)
			d, dir := heldAt(t, addr, "[ready]\ntcp = '"+addr+"'\ntimeout = '5s'\n", func(d *devguard) {
				edit(t, filepath.Join(d.cmd.Dir, "devguard.toml"), "hold_sockets = true", fmt.Sprintf("hold_sockets = %v", hold))
			})
			mark := d.mark()
			saveWhole(t, filepath.Join(dir, "sockets"), "sleep 1h")
			d.wait(mark, "instance not ready", nil)
			if !poll(limit, func() bool { return refuses(addr) }) {
				t.Error("somebody listens")
			}
			var want []string
			if hold {
				want = []string{"generation 2 was not ready in time, and has not taken it"}
			}
			d.save(dir, addr, 3) // mended, by the same command: that says nothing against holding
			if said := d.reasons(); !slices.Equal(said, want) {
				t.Errorf("says %q\nwant %q", said, want)
			}
			if _, port, _ := strings.Cut(addr, ":"); hold && !holdsPort(d.keeper(t), port) {
				t.Error("it is not held")
			}
			d.stop()
		})
	}
}

// TestHeldSocketMPTCP: net/http listens by MPTCP, unless GODEBUG says otherwise. A generation with another
// protocol gets a socket of its own.
func TestHeldSocketMPTCP(t *testing.T) {
	t.Parallel()
	addr := "127.0.0.1:" + freePort(t)
	dir := project(t, map[string]string{"main.go": gracefulGo, ".env": "GODEBUG=multipathtcp=1\n", "devguard.toml": "[app]\nenv_files = ['.env']\n"})
	d := run(t, dir, []string{"ADDR=" + addr})
	d.ready()
	for gen, setting := range []string{2: "multipathtcp=0", 3: "multipathtcp=0,gctrace=0", 4: "multipathtcp=1"} {
		if setting == "" {
			continue
		}
		mark := d.mark()
		saveWhole(t, filepath.Join(dir, ".env"), "GODEBUG="+setting+"\n")
		d.wait(mark, "instance ready", func(l line) bool { return l.int("gen") == gen })
		d.serves("http://"+addr, "v0")
	}
	want := []string{"generation 2 sets another SO_PROTOCOL", "generation 4 sets another SO_PROTOCOL"}
	if said := d.reasons(); !slices.Equal(said, want) {
		t.Errorf("says %q\nwant %q\n%s", said, want, d.log())
	}
	d.stop()
}

// TestHeldSocketIsNotInUse: when the app fails, nobody is told that devguard has the port.
func TestHeldSocketIsNotInUse(t *testing.T) {
	d, dir, addr := heldApp(t, nil)
	mark := d.mark()
	saveWhole(t, filepath.Join(dir, "sockets"), "listen "+addr+"\nsleep 300ms\nexit 1")
	d.wait(mark, "instance exited", func(l line) bool { return l.int("code") == 1 })
	d.wait(mark, "instance waiting", nil)
	d.save(dir, addr, 2)
	if log := d.log(); strings.Contains(log, "in use by process") || len(d.reasons()) > 0 {
		t.Errorf("log:\n%s", log)
	}
	d.stop()
}

// TestFrontIsNotInUse: nor that the front has it, which answers where the app binds.
func TestFrontIsNotInUse(t *testing.T) {
	t.Parallel()
	app, err := listensApp()
	if err != nil {
		t.Fatal(err)
	}
	addr := "0.0.0.0:" + freePort(t)
	dir := project(t, map[string]string{"sockets": "tag save0\nlisten " + addr, "devguard.toml": fmt.Sprintf(
		"[app]\ncommand = [%q, 'sockets']\n[watch]\ninclude = ['sockets']\n", app)})
	d := run(t, dir, nil, "--front")
	d.ready()
	d.serves("http://"+addr, "save0")
	mark := d.mark()
	saveWhole(t, filepath.Join(dir, "sockets"), "listen "+addr+"\nsleep 300ms\nexit 1")
	d.wait(mark, "instance exited", func(l line) bool { return l.int("code") == 1 })
	d.wait(mark, "instance waiting", nil)
	d.save(dir, addr, 2)
	if log := d.log(); strings.Contains(log, "in use by process") {
		t.Errorf("log:\n%s", log)
	}
	d.stop()
}

// TestPortOfAnotherAddress: who has the same port of another address is in nobody's way, and is not named.
func TestPortOfAnotherAddress(t *testing.T) {
	t.Parallel()
	addr := "127.0.0.1:" + freePort(t)
	d, dir := heldAt(t, addr, "", func(d *devguard) {
		edit(t, filepath.Join(d.cmd.Dir, "devguard.toml"), "hold_sockets = true", "hold_sockets = false")
	})
	other, err := net.Listen("tcp", strings.Replace(addr, "127.0.0.1", "127.0.0.2", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	mark := d.mark()
	saveWhole(t, filepath.Join(dir, "sockets"), "exit 1")
	d.wait(mark, "instance exited", func(l line) bool { return l.int("code") == 1 })
	d.save(dir, addr, 2)
	if log := d.log(); strings.Contains(log, "in use by process") {
		t.Errorf("log:\n%s", log)
	}
	d.stop()
}

// TestHeldSocketOfAnotherFamily: what is held for 0.0.0.0 is not reached by ::1, where the next generation
// listens, which is ready by its own answer.
func TestHeldSocketOfAnotherFamily(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	d, dir := heldAt(t, "0.0.0.0:"+port, "[ready]\nhttp = '/'\n", nil)
	mark := d.mark()
	saveWhole(t, filepath.Join(dir, "sockets"), "tag save1\nlisten [::1]:"+port)
	if l := d.wait(mark, "instance ready", nil); l.str("rule") != "http" {
		t.Errorf("ready: %s", l.Raw)
	}
	d.serves("http://[::1]:"+port, "save1")
	d.stop()
}
