package cmd

import (
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/logline/logtest"
)

func TestSplitArgs(t *testing.T) {
	tests := []struct {
		name          string
		args          []string
		before, after []string
		dash          bool
	}{
		{"none", []string{"devguard", "run"}, []string{"devguard", "run"}, nil, false},
		{"at the end", []string{"devguard", "run", "--"}, []string{"devguard", "run"}, nil, true},
		{"the first counts", []string{"d", "run", ".", "--", "a", "--", "b"}, []string{"d", "run", "."}, []string{"a", "--", "b"}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before, after, dash := SplitArgs(test.args)
			if !slices.Equal(before, test.before) || !slices.Equal(after, test.after) || dash != test.dash {
				t.Errorf("got %q %q %v", before, after, dash)
			}
			_ = append(before, "overwritten")
			if test.dash && test.args[len(before)] != "--" {
				t.Error("before can grow over what follows it")
			}
		})
	}
}

// runApp parses args as main does and returns what run makes of them.
func runApp(args []string) (pkg string, flags config.Overrides, err error) {
	before, after, dash := SplitArgs(args)
	app := &cli.App{
		Name: "devguard", Writer: io.Discard, ErrWriter: io.Discard, HideVersion: true,
		ExitErrHandler: func(*cli.Context, error) {},
		Commands: []*cli.Command{{
			Name: "run", Flags: RunFlags(),
			OnUsageError: func(_ *cli.Context, err error, _ bool) error { return FlagError(err, "devguard help run", RunFlags()) },
			Action: func(c *cli.Context) error {
				line := commandLine{before: before, positional: c.Args().Slice(), after: after, hasDash: dash, flags: RunFlags()}
				flags = overrides(c)
				pkg, err = line.one("PACKAGE")
				return err
			},
		}},
	}
	err = app.Run(before)
	return pkg, flags, err
}

func TestRunLine(t *testing.T) {
	tests := []struct {
		name string
		args []string
		pkg  string
		want string // the error
	}{
		{"package", []string{"run", "-v", "./cmd/app"}, "./cmd/app", ""},
		{"nothing", []string{"run"}, "", ""},
		{"arguments", []string{"run", ".", "--", "-port", "80"}, ".", ""},
		{"flag with value after PACKAGE", []string{"run", "-v", "./cmd/app", "--name", "x"}, "",
			"the flag --name follows PACKAGE ./cmd/app, where devguard reads no flags; write: devguard run -v --name x ./cmd/app"},
		{"flag = value, alias and switch", []string{"run", ".", "--db=off", "-C", "my dir", "-v", "--", "x"}, "",
			"the flag --db=off follows PACKAGE ., where devguard reads no flags; write: devguard run --db=off -C 'my dir' -v . -- x"},
		{"argument of the app", []string{"run", ".", "--port", "80"}, "",
			"the flag --port follows PACKAGE ., where devguard reads no flags; write: devguard run . -- --port 80"},
		{"word", []string{"run", ".", "serve", "--name", "x", "--", "y"}, "",
			`"serve" follows PACKAGE ., where devguard reads nothing; write: devguard run --name x . -- serve y`},
		{"flag that lacks its value", []string{"run", ".", "--name"}, "",
			"the flag --name follows PACKAGE ., where devguard reads no flags; write: devguard run --name ."},
		{"password", []string{"run", ".", "-dsn=postgres://u:hun@ter2@h/d"}, "",
			"the flag -dsn=postgres://u:xxxxx@h/d follows PACKAGE ., where devguard reads no flags; write: devguard run . -- -dsn=postgres://u:xxxxx@h/d"},
		{"unknown flag", []string{"run", "--nmae", "x"}, "", "there is no flag --nmae; did you mean --name?"},
		{"flag of the app", []string{"run", "--listen", "x"}, "", "there is no flag --listen; devguard help run lists the flags; those of the app go behind --"},
		{"flag without value", []string{"run", "--name"}, "", "flag needs an argument: -name; devguard help run lists the flags"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			pkg, _, err := runApp(append([]string{"devguard"}, test.args...))
			if pkg != test.pkg {
				t.Errorf("package %q, want %q", pkg, test.pkg)
			}
			var usage *UsageError
			if test.want == "" && err != nil || test.want != "" && (!errors.As(err, &usage) || logtest.Text(err) != test.want) {
				t.Errorf("got %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestOverridesAreWhatWasGiven(t *testing.T) {
	_, none, err := runApp([]string{"devguard", "run", "."})
	if err != nil || none.Verbose != nil || none.EmbeddedDB != nil || none.Hold != nil || none.Name+none.DB+none.LogFormat != "" {
		t.Errorf("got %+v, %v", none, err)
	}
	_, all, err := runApp([]string{"devguard", "run", "-v", "--embedded-db=false", "--hold-sockets", "--db", "off", "--name=n", "--log-format", "json"})
	if err != nil || !*all.Verbose || *all.EmbeddedDB || !*all.Hold || all.DB != "off" || all.Name != "n" || all.LogFormat != "json" {
		t.Errorf("got %+v, %v", all, err)
	}
}

func TestRunFlagsHaveHelp(t *testing.T) {
	for _, f := range RunFlags() {
		if usage(f) == "" {
			t.Errorf("%v has no help", f.Names())
		}
	}
}
