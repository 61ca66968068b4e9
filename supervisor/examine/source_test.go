package examine

import (
	"os"
	"testing"
)

func TestModuleFiles(t *testing.T) {
	for _, c := range []struct{ mod, work, want string }{
		{"/src/go.mod", "", "/src/go.mod"},
		{"/src/api/go.mod", "/src/go.work", "/src/api/go.mod, /src/go.work"},
		{os.DevNull, "/src/go.work", "/src/go.work"},
		{"/src/go.mod", "off", "/src/go.mod"},
		{"", "", ""},
	} {
		if got := moduleFiles(c.mod, c.work); got != c.want {
			t.Errorf("%q, %q: %q, want %q", c.mod, c.work, got, c.want)
		}
	}
}
