package config

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const examplePath = "../../config.example.toml"

func readExample(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(examplePath)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// keyLine matches a key of config.example.toml, also one commented out.
var keyLine = regexp.MustCompile(`^(# )?([a-z_]+) = (.*?) +# (default|example): \S`)

// edit applies change to each key line of text, with the key's full name.
func edit(text string, change func(key, mark, line string) string) string {
	var out []string
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if m := keyLine.FindStringSubmatch(line); m != nil {
			line = change(join(section, m[2]), m[4], line)
		} else if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[]")
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func parseExample(t *testing.T, text string) *Config {
	t.Helper()
	cfg, err := Parse("config.example.toml", "", "/work", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return cfg
}

func TestExampleHasEveryKeyOnce(t *testing.T) {
	var found []string
	edit(readExample(t), func(key, _, line string) string {
		found = append(found, key)
		return line
	})
	found = append(found, "app", "build", "debug", "watch", "ready", "front", "database", "hook")
	slices.Sort(found)
	want := slices.Sorted(slices.Values(schema()))
	if !slices.Equal(found, want) {
		t.Errorf("keys of the example\n%q\nkeys there are\n%q", found, want)
	}
}

func TestExampleParses(t *testing.T) {
	example := readExample(t)
	parseExample(t, example)
	for _, pair := range [][2]string{{"app.command", "app.package"}, {"ready.tcp", "ready.http"}} {
		t.Run(pair[0], func(t *testing.T) {
			parseExample(t, edit(example, func(key, _, line string) string {
				switch key {
				case pair[0]:
					return strings.TrimPrefix(line, "# ")
				case pair[1]:
					return "# " + line
				}
				return line
			}))
		})
	}
}

func TestExampleDefaultsAreDefaults(t *testing.T) {
	text := edit(readExample(t), func(_, mark, line string) string {
		if mark == "example" {
			return ""
		}
		return line
	})
	hook := strings.Index(text, "[[hook]]")
	if got, want := parseExample(t, text[:hook]), Default("/work"); !reflect.DeepEqual(got, want) {
		t.Errorf("keys marked default give\n%+v\nwant\n%+v", got, want)
	}
	const bare = "[[hook]]\nname = \"x\"\nrun = \"x\"\nwatch = [\"x\"]\n"
	got := parseExample(t, bare+strings.TrimPrefix(text[hook:], "[[hook]]"))
	if want := parseExample(t, bare); !reflect.DeepEqual(got, want) {
		t.Errorf("hook keys marked default give\n%+v\nwant\n%+v", got.Hooks, want.Hooks)
	}
}

// everyKey sets every key to something else than its default.
const everyKey = `
name = "shop"
log_format = "json"
control = "127.0.0.1:7777"
verbose = true
[app]
package = "./x"
args = ["a"]
env_files = [".env"]
stop_signal = "INT"
grace = "0s"
stdin = true
restart_on_crash = false
hold_sockets = false
hang_up = "off"
[build]
flags = ["-race"]
debug = true
fast = "off"
[debug]
listen = "2346"
[watch]
include = ["a"]
exclude = ["b"]
poll = "3s"
[ready]
http = "/x"
tcp = ""
timeout = "1s"
[front]
listen = "9090"
target = "3000"
port_env = ["P"]
hold = "1s"
live_reload = false
reload = ["static/**"]
editor = "idea"
remote_overlay = true
[[database]]
url_env = ["A"]
direct_url_env = "B"
mode = "off"
embedded = true
listen = "127.0.0.1:6432"
drain_timeout = "1s"
[[hook]]
name = "h"
watch = ["w"]
run = ["r"]
outputs = ["o"]
then = "none"
migrates = true
`

// TestEveryFieldHasAKey sets every key to something else than its default and
// finds every field of Config changed, so that no field is without a key and no
// key is read and dropped.
func TestEveryFieldHasAKey(t *testing.T) {
	cfg, err := Parse("x.toml", "/repo/devguard.toml", "/work", []byte(everyKey))
	if err != nil {
		t.Fatal(err)
	}
	base := Default("/work")
	base.Hooks = []Hook{{Then: ThenRebuild}}
	var same []string
	var compare func(name string, a, b reflect.Value)
	compare = func(name string, a, b reflect.Value) {
		switch {
		case a.Kind() == reflect.Struct:
			for i := range a.NumField() {
				compare(name+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i))
			}
		case a.Kind() == reflect.Slice && a.Type().Elem().Kind() == reflect.Struct:
			compare(name, a.Index(0), b.Index(0))
		case reflect.DeepEqual(a.Interface(), b.Interface()):
			same = append(same, name)
		}
	}
	compare("", reflect.ValueOf(*cfg), reflect.ValueOf(*base))
	// Either-or keys, and the two fields that are not of the file.
	want := []string{".Work", ".App.Command", ".Debug.On", ".Ready.TCP", ".Hooks.Shell"}
	if !slices.Equal(same, want) {
		t.Errorf("fields without a key: %q, want %q", same, want)
	}
}
