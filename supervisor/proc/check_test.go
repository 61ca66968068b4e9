package proc

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		spec Spec
		want error
	}{
		"fine":                  {Spec{Path: "sh", Dir: dir}, nil},
		"not in PATH":           {Spec{Path: "no-such-program", Dir: dir}, errAny},
		"no file":               {Spec{Path: "./none", Dir: dir}, syscall.ENOENT},
		"not executable":        {Spec{Path: plain, Dir: dir}, syscall.EACCES},
		"a directory":           {Spec{Path: dir, Dir: dir}, syscall.EACCES},
		"no working directory":  {Spec{Path: "sh", Dir: filepath.Join(dir, "gone")}, syscall.ENOENT},
		"working in a file":     {Spec{Path: "sh", Dir: plain}, syscall.ENOTDIR},
		"a file as a directory": {Spec{Path: plain + "/x", Dir: dir}, syscall.ENOTDIR},
	} {
		t.Run(name, func(t *testing.T) {
			err := tt.spec.Check()
			var start *StartError
			switch {
			case tt.want == nil && err == nil:
			case tt.want == nil, !errors.As(err, &start), tt.want != errAny && !errors.Is(err, tt.want):
				t.Errorf("got %v", err)
			}
		})
	}
}

var errAny = errors.New("any")
