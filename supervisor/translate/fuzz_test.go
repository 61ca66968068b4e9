package translate

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/dotenv"
)

// fuzzNames are what a source is called, by whose it is.
var fuzzNames = []string{".air.toml", "reflex.conf", "nodemon.json", "package.json", "-"}

// FuzzTranslate: nothing panics, and what comes out is a devguard.toml.
func FuzzTranslate(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file, ".golden") {
			f.Add(max(0, slices.Index(fuzzNames, sourceName(file))), read(f, file))
		}
	}
	for _, test := range airPrograms {
		f.Add(0, "[build]\n"+test.build)
	}
	f.Fuzz(func(t *testing.T, which int, text string) {
		sound(t, fuzzNames[(which%len(fuzzNames)+len(fuzzNames))%len(fuzzNames)], text)
	})
}

// FuzzAirSettings: the same with settings of air that are valid TOML whatever they hold.
func FuzzAirSettings(f *testing.F) {
	f.Add("go build -o ./tmp/main ./cmd/x", "A=1 ./tmp/main --x", "templ generate", "html", "_test.go", "web/dist", ".env")
	f.Add("cd a && make b", "dlv exec x -- y", "swag init -o=docs", "*", "^a/.*$", "../x", "/etc/x")
	f.Fuzz(func(t *testing.T, cmd, bin, before, ext, expr, dir, file string) {
		var b strings.Builder
		b.WriteString("root = " + String(dir) + "\nenv_files = " + List([]string{file}) + "\n[build]\n")
		for key, value := range map[string]string{"cmd": cmd, "full_bin": bin} {
			b.WriteString(key + " = " + String(value) + "\n")
		}
		for key, value := range map[string]string{
			"pre_cmd": before, "post_cmd": before, "include_ext": ext, "exclude_regex": expr, "exclude_dir": dir, "include_dir": dir,
			"include_file": file, "exclude_file": file, "args_bin": bin,
		} {
			b.WriteString(key + " = " + List([]string{value}) + "\n")
		}
		b.WriteString("[[build.rules]]\nname = " + String(ext) + "\ncmd = " + String(before) + "\ninclude_dir = " + List([]string{dir}) + "\n")
		sound(t, ".air.toml", b.String())
		sound(t, "-", "wgo run -file "+ShellWord(expr)+" "+cmd)
		sound(t, "-", "wgo "+cmd+" :: "+bin)
		sound(t, "-", "reflex -s -r "+ShellWord(expr)+" -G "+ShellWord(file)+" -- "+cmd)
		sound(t, "-", "nodemon -w "+ShellWord(dir)+" -e "+ShellWord(ext)+" -i "+ShellWord(file)+" --exec "+ShellWord(cmd))
	})
}

// sound translates text: to a valid devguard.toml, the same each time, or a mistake.
func sound(t *testing.T, name, text string) {
	t.Helper()
	r, err := Translate(name, []byte(text), Facts{GOOS: "linux"})
	if err != nil {
		if errs, ok := err.(config.Errors); !ok || len(errs) == 0 || errs.Error() == "" {
			t.Fatalf("%#v", err)
		}
		return
	}
	if _, err := config.Parse(config.File, "", "/", []byte(r.Text)); err != nil {
		t.Fatalf("%v\n%s", err, r.Text)
	}
	if _, wrong := dotenv.ParseStrict(r.Env); wrong != nil {
		t.Fatalf("%v\n%s", wrong, r.Env)
	}
	again, err := Translate(name, []byte(text), Facts{GOOS: "linux"})
	if err != nil || again.Text != r.Text {
		t.Fatalf("another result the second time: %v\n%s\n%s", err, r.Text, again.Text)
	}
}
