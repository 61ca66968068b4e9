package paths

import (
	"path/filepath"
	"slices"
	"testing"
)

// rooted makes an absolute path of this system of one with slashes.
func rooted(path string) string {
	if path == "" || path[0] != '/' {
		return filepath.FromSlash(path)
	}
	root, _ := filepath.Abs(string(filepath.Separator))
	return filepath.Join(root, filepath.FromSlash(path))
}

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		path, dir string
		want      bool
	}{
		{"/shop", "/shop", true},
		{"/shop/web/a.go", "/shop", true},
		{"/shopkit", "/shop", false},
		{"/shop", "/shop/web", false},
		{"/shop/..web", "/shop", true},
		{"/shop", "/", true},
		{"/", "/", true},
		{"/shop", "", false},
		{"", "", true},
		{"", "/shop", false},
	} {
		if got := Within(rooted(c.path), rooted(c.dir)); got != c.want {
			t.Errorf("Within(%q, %q) = %v", c.path, c.dir, got)
		}
	}
}

func TestRel(t *testing.T) {
	for _, c := range []struct {
		dir, path, want string
		ok              bool
	}{
		{"/shop", "/shop", ".", true},
		{"/shop", "/shop/web/a.go", "web/a.go", true},
		{"/shop", "/shop/..web", "..web", true},
		{"/shop", "/shopkit", "", false},
		{"/shop/web", "/shop", "", false},
		{"/", "/shop", "shop", true},
		{"", "/shop", "", false},
		{"", "shop", "", false},
		{"/shop", "shop", "", false},
	} {
		got, ok := Rel(rooted(c.dir), rooted(c.path))
		if filepath.ToSlash(got) != c.want || ok != c.ok {
			t.Errorf("Rel(%q, %q) = %q, %v; want %q, %v", c.dir, c.path, got, ok, c.want, c.ok)
		}
	}
	if got, ok := Rel(rooted("/shop")+string(filepath.Separator), rooted("/shop/a")); got != "a" || !ok {
		t.Errorf("Rel of a directory with a trailing slash = %q, %v", got, ok)
	}
}

func TestClimbs(t *testing.T) {
	for rel, want := range map[string]bool{
		"..": true, "../a": true, "../../a": true, ".": false, "a": false, "..a": false, "..a/b": false, "": false,
	} {
		if got := Climbs(rel); got != want {
			t.Errorf("Climbs(%q) = %v", rel, got)
		}
	}
}

func TestUp(t *testing.T) {
	got := slices.Collect(Up(rooted("/shop/web/a.go")))
	want := []string{rooted("/shop/web/a.go"), rooted("/shop/web"), rooted("/shop"), rooted("/")}
	if !slices.Equal(got, want) {
		t.Errorf("Up = %q, want %q", got, want)
	}
	for path := range Up(rooted("/shop/web")) {
		if path == rooted("/shop") {
			return
		}
	}
	t.Error("Up went past what the loop ended at")
}
