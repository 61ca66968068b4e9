package config

import "testing"

func TestListenAddress(t *testing.T) {
	for in, want := range map[string]string{
		"":                "",
		"app":             "app",
		"8080":            "127.0.0.1:8080",
		":8080":           ":8080",
		"0":               "127.0.0.1:0",
		"localhost:8080":  "localhost:8080",
		"[::1]:8080":      "[::1]:8080",
		"0.0.0.0:8080":    "0.0.0.0:8080",
		"8080x":           "error",
		"127.0.0.1":       "error",
		"127.0.0.1:":      "error",
		"127.0.0.1:http":  "error",
		"127.0.0.1:65536": "error",
		"65536":           "error",
		"http://a:80":     "error",
		"a b:80":          "error",
		"user@a:80":       "error",
	} {
		got, err := listenAddress(in)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestFrontFlag(t *testing.T) {
	with := func(listen string) (*Config, error) { return Default("/work").with(Overrides{Front: listen}) }
	if c, err := with("9090"); err != nil || c.Front.Listen != "127.0.0.1:9090" {
		t.Errorf("%v, %v", c, err)
	}
	for _, bad := range []string{"nonsense", "localhost"} {
		if _, err := with(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
