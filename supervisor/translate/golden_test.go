package translate

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/config"
)

var update = flag.Bool("update", false, "write the golden files")

// TestGolden translates the configurations of public projects below testdata, whose first lines
// name where they are from.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, ".golden") {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			r := translated(t, sourceName(file), read(t, file))
			got := r.Text
			if r.Env != "" {
				got += "\n-- " + EnvFile + " --\n" + r.Env
			}
			if *update {
				if err := os.WriteFile(file+".golden", []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := read(t, file+".golden"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// sourceName is what the file is called in a project: .air.toml, or stdin for a command line.
func sourceName(file string) string {
	switch filepath.Base(filepath.Dir(file)) {
	case "air":
		return ".air.toml"
	case "line":
		return "-"
	}
	return filepath.Base(file)
}

func read(t testing.TB, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(data), "\r\n", "\n")
}

// translated translates text, which has to give what config takes.
func translated(t testing.TB, name, text string) *Result {
	t.Helper()
	r, err := Translate(name, []byte(text), Facts{GOOS: "linux"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := config.Parse(config.File, "", "/", []byte(r.Text)); err != nil {
		t.Fatalf("%v\n%s", err, r.Text)
	}
	return r
}

// TestEverySettingOfAirIsAccountedFor looks for each key of the source in the translation.
func TestEverySettingOfAirIsAccountedFor(t *testing.T) {
	files, err := filepath.Glob("testdata/air/*.toml")
	if err != nil || len(files) < 11 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		text := read(t, file)
		doc, err := config.ReadDocument(file, []byte(text), "")
		if err != nil {
			t.Fatal(err)
		}
		got := translated(t, ".air.toml", text).Text
		for name, value := range doc.Values {
			table, ok := value.(map[string]any)
			if !ok {
				table, name = map[string]any{name: value}, ""
			}
			for key := range table {
				if key = strings.TrimPrefix(name+"."+key, "."); !strings.Contains(got, key) {
					t.Errorf("%s: %s is not in\n%s", file, key, got)
				}
			}
		}
	}
}
