package config

import "testing"

func TestFromEnv(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		addr string
		fail bool
	}{
		{name: "defaults", addr: "127.0.0.1:8080"},
		{name: "host and port", env: map[string]string{"HOST": "::1", "PORT": "0"}, addr: "[::1]:0"},
		{name: "bad port", env: map[string]string{"PORT": "http"}, fail: true},
		{name: "port out of range", env: map[string]string{"PORT": "65536"}, fail: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := FromEnv(func(k string) string { return c.env[k] })
			if (err != nil) != c.fail {
				t.Fatalf("error = %v, want failure %v", err, c.fail)
			}
			if got.Addr != c.addr {
				t.Errorf("Addr = %q, want %q", got.Addr, c.addr)
			}
		})
	}
}
