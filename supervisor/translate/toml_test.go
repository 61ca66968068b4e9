package translate

import (
	"slices"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/config"
)

func FuzzTOMLString(f *testing.F) {
	for _, seed := range []string{"", "a", `"`, `'`, `\`, "\n", "\x7f", `a"b'c\d`, "é", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ToValidUTF8(s, "") != s || strings.ContainsRune(s, 0) || s == "" {
			return
		}
		cfg, err := config.Parse("x", "", "/", []byte("app.args = "+List([]string{s, s})))
		if err != nil || !slices.Equal(cfg.App.Args, []string{s, s}) {
			t.Errorf("%q: %v, %v", s, cfg, err)
		}
	})
}
