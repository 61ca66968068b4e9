package run

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Peers are the packages of the tools that the go.mod of testdata/bench pins.
var Peers = map[string]string{
	"air":    "github.com/air-verse/air",
	"reflex": "github.com/cespare/reflex",
	"wgo":    "github.com/bokwoon95/wgo",
}

// Build builds devguard from the repository, or one of Peers from its testdata/bench, unless program is
// there already.
func Build(ctx context.Context, repo, tool, program string, env []string) error {
	if _, err := os.Stat(program); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir, err := filepath.Abs(repo)
	if err != nil {
		return err
	}
	pkg := "."
	if tool != "devguard" {
		dir, pkg = filepath.Join(dir, "testdata", "bench"), Peers[tool]
	}
	return Do(ctx, dir, env, "go", "build", "-o", program, pkg)
}
