package config

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"time"
)

const frontHint = `write host:port, like "127.0.0.1:8080"; ":8080" is all interfaces, "app" is where the app binds`

func readFront(t *table, f *Front) {
	t.text("listen", &f.Listen)
	address, err := listenAddress(f.Listen)
	if err != nil {
		t.fail("listen", frontHint, "%s", err)
	}
	f.Listen = address
	t.text("target", &f.Target)
	if f.Target != "" {
		if f.Target, err = dialAddress(f.Target); err != nil {
			t.fail("target", `write the address that the app listens on, like "127.0.0.1:3000"`, "%s", err)
		}
	}
	t.list("port_env", &f.PortEnv, `["PORT"]`)
	for i, name := range f.PortEnv {
		if !isVariable(name) {
			t.fail(item("port_env", i), "write the variable's name, like PORT", "is not the name of a variable")
		}
	}
	t.duration("hold", &f.Hold, time.Millisecond)
	t.boolean("live_reload", &f.LiveReload)
	t.globs("reload", &f.Reload, `["static/**"]`)
	if t.text("editor", &f.Editor); strings.Contains(f.Editor, ":") && !strings.Contains(f.Editor, "{file}") {
		t.fail("editor", `write a name, like "vscode", or a URL, like "my-editor://open?file={file}&line={line}"`, "has no {file}")
	}
	t.boolean("remote_overlay", &f.RemoteOverlay)
}

// listenAddress completes an address to listen on: a port alone means loopback, one behind a colon
// all interfaces.
func listenAddress(s string) (string, error) {
	if s == "" || s == FrontOfApp {
		return s, nil
	}
	if _, err := strconv.ParseUint(s, 10, 16); err == nil {
		s = "127.0.0.1:" + s
	}
	host, port, err := splitAddress(s)
	if err != nil {
		return "", err
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", errors.New("does not end in a port, 0 to 65535")
	}
	return net.JoinHostPort(host, port), nil
}
