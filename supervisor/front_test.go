package supervisor

import (
	"log/slog"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/listeners"
	"github.com/devguard/devguard/supervisor/logline"
	"github.com/devguard/devguard/supervisor/ready"
)

func frontOf(t *testing.T, change func(*config.Front)) *address {
	t.Helper()
	cfg := config.Default(t.TempDir())
	cfg.Front.Listen = "127.0.0.1:0"
	change(&cfg.Front)
	a, err := openAddress(cfg, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.close)
	return a
}

// TestAddressOfTheApp: how the app is told where to listen, and where it is looked for.
func TestAddressOfTheApp(t *testing.T) {
	a := frontOf(t, func(f *config.Front) { f.PortEnv = []string{"PORT", "HTTP_PORT"} })
	port := a.place.(apart).port
	if got := a.environ([]string{"PORT=3000", "A=b"}); !slices.Equal(got, []string{"A=b", "PORT=" + port, "HTTP_PORT=" + port}) {
		t.Errorf("the environment is %q", got)
	}
	args := []string{"-addr", "localhost:{port}", "{port}{port}"}
	if got := a.args(args); !slices.Equal(got, []string{"-addr", "localhost:" + port, port + port}) || args[1] != "localhost:{port}" {
		t.Errorf("the arguments are %q", got)
	}
	if got := a.place.dials(); !slices.Equal(got, []string{"127.0.0.1:" + port, "[::1]:" + port}) {
		t.Errorf("it is looked for at %q", got)
	}

	fixed := frontOf(t, func(f *config.Front) { f.Target = "127.0.0.1:3000" })
	if got := fixed.environ([]string{"PORT=4000"}); !slices.Equal(got, []string{"PORT=4000"}) {
		t.Errorf("with an address of its own the environment is %q", got)
	}
	if got := fixed.args([]string{"{port}"}); got[0] != "{port}" {
		t.Errorf("the arguments are %q", got)
	}
	if got := fixed.place.dials(); !slices.Equal(got, []string{"127.0.0.1:3000"}) {
		t.Errorf("it is looked for at %q", got)
	}

	var none *address
	if got := none.environ([]string{"PORT=4000"}); len(got) != 1 || none.args([]string{"{port}"})[0] != "{port}" {
		t.Error("without a front something is changed")
	}
}

func TestAddressIsReady(t *testing.T) {
	a := &address{place: apart{app: ":4000"}}
	fixed := &address{place: apart{app: "10.0.0.1:3000"}}
	for _, c := range []struct {
		address *address
		rule    ready.Rule
		want    ready.Rule
	}{
		{nil, ready.Rule{}, ready.Rule{}},
		{nil, ready.Rule{HTTP: "/x"}, ready.Rule{HTTP: "/x"}},
		{a, ready.Rule{}, ready.Rule{TCP: ":4000"}},
		{a, ready.Rule{TCP: "127.0.0.1:5"}, ready.Rule{TCP: "127.0.0.1:5"}},
		{a, ready.Rule{HTTP: "/healthz?a=b"}, ready.Rule{HTTP: "http://localhost:4000/healthz?a=b"}},
		{a, ready.Rule{HTTP: "http://127.0.0.1:9/x"}, ready.Rule{HTTP: "http://127.0.0.1:9/x"}},
		{fixed, ready.Rule{}, ready.Rule{TCP: "10.0.0.1:3000"}},
		{fixed, ready.Rule{HTTP: "/x"}, ready.Rule{HTTP: "http://10.0.0.1:3000/x"}},
	} {
		got := c.rule
		if c.address.await(&got, &ready.Target{}); got != c.want {
			t.Errorf("%+v becomes %+v, want %+v", c.rule, got, c.want)
		}
	}
}

// TestAppElsewhere: an app that does not take PORT is told of, with its own address.
func TestAppElsewhere(t *testing.T) {
	at := func(texts ...string) (all []netip.AddrPort) {
		for _, text := range texts {
			all = append(all, netip.MustParseAddrPort(text))
		}
		return all
	}
	a := &address{place: apart{app: ":4000", port: "4000"}}
	for _, c := range []struct {
		address   *address
		listening []netip.AddrPort
		want      bool
	}{
		{a, nil, false},
		{a, at("127.0.0.1:4000"), false},
		{a, at("0.0.0.0:6060", "[::]:4000"), false},
		{a, at("127.0.0.1:8080"), true},
		{&address{place: apart{app: "127.0.0.1:8080"}}, at("127.0.0.1:8081"), false},
		{nil, at("127.0.0.1:8080"), false},
	} {
		err := c.address.elsewhere(c.listening)
		if (err != nil) != c.want || c.want && !strings.Contains(logline.HintOf(err), `target = "127.0.0.1:8080"`) {
			t.Errorf("%v: %v", c.listening, err)
		}
	}
}

// TestAddressInUse: the error says what to do.
func TestAddressInUse(t *testing.T) {
	a := frontOf(t, func(*config.Front) {})
	cfg := config.Default(t.TempDir())
	cfg.Front.Listen = a.public()
	if _, err := openAddress(cfg, nil, slog.New(slog.DiscardHandler)); err == nil || logline.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
}

func TestMakesStyles(t *testing.T) {
	for _, c := range []struct {
		outputs []string
		want    bool
	}{
		{nil, false},
		{[]string{"static/app.css"}, true},
		{[]string{"static/*.css", "b.css"}, true},
		{[]string{"static/*.css", "b.js"}, false},
		{[]string{"static/**"}, false},
	} {
		if got := makesStyles(config.Hook{Outputs: c.outputs}); got != c.want {
			t.Errorf("%q: %v", c.outputs, got)
		}
	}
}

// TestFrontInPlace: where it cannot be, the error says what can.
func TestFrontInPlace(t *testing.T) {
	for name, change := range map[string]func(*config.Config){
		"without held sockets": func(c *config.Config) { c.App.HoldSockets = false },
		"before a debugger":    func(c *config.Config) { c.Debug.On = true },
	} {
		cfg := config.Default(t.TempDir())
		cfg.Front.Listen = config.FrontOfApp
		change(cfg)
		if _, err := openAddress(cfg, nil, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(logline.HintOf(err), "--front=127.0.0.1:8080") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if runtime.GOOS != "linux" {
		return
	}
	cfg := config.Default(t.TempDir())
	cfg.Front.Listen = config.FrontOfApp
	holder := listeners.New(func(logline.Line) {})
	defer holder.Close()
	a, err := openAddress(cfg, holder, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	if env := a.environ([]string{"PORT=1"}); len(env) != 1 || len(a.place.dials()) > 0 || a.public() != "" {
		t.Errorf("%q, %q, %q", env, a.place.dials(), a.public())
	}
}
