// History takes the commits of a project for saves: after each it builds the program without the go
// command, as devguard does with `fast = "auto"`. When that is done, the go command builds the same tree
// with a build cache of its own, and both programs are compared; when it is refused, the go command
// builds with the cache that the next fast build takes its objects from.
//
//	go -C testdata/bench run ./history -repo https://github.com/miniflux/v2 [-program .] [-commits 200] [-until COMMIT]
//
// That is harder than saves: most commits change several files. It clones into a directory of its own,
// which it removes, or that of -cache; the modules come as GOPROXY says. A program that differs ends it with
// exit code 1, and leaves both behind. Interrupted, it says what came of the commits so far.
//
// With -edits N it makes random edits of the newest commit instead, one after the other, and builds each:
//
//	go -C testdata/bench run ./history -repo https://github.com/miniflux/v2 -until v2.3.3 -edits 3000 -seed 1
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"example.com/bench/run"
)

type options struct {
	repo    string
	program string
	until   string
	commits int
	cache   string
	edits   int
	seed    uint64
	flags   []string
}

func main() {
	var o options
	flag.StringVar(&o.repo, "repo", "", "a git repository, by its address or directory")
	flag.StringVar(&o.program, "program", ".", "the main package there")
	flag.StringVar(&o.until, "until", "HEAD", "the newest commit")
	flag.IntVar(&o.commits, "commits", 200, "how many, along the first parents")
	flag.StringVar(&o.cache, "cache", "", "a directory for the two build caches and the tree, which is kept: of one run at a time")
	flag.IntVar(&o.edits, "edits", 0, "how many random edits to make of the newest commit, instead of taking commits")
	flag.Uint64Var(&o.seed, "seed", 1, "of the edits")
	flag.Parse()
	o.flags = flag.Args() // of go build
	run.Main("history", func(ctx context.Context) error { return measure(ctx, o) })
}

func measure(ctx context.Context, o options) error {
	work, err := os.MkdirTemp("", "devguard-history-")
	if err != nil {
		return err
	}
	if work, err = absolute(work); err != nil {
		return err
	}
	if o.cache == "" {
		o.cache = work
	}
	if err := os.MkdirAll(o.cache, 0o755); err != nil {
		return err
	}
	if o.cache, err = absolute(o.cache); err != nil {
		return err
	}
	tree := checkout{ctx, filepath.Join(o.cache, "tree")} // always there: what is cached of it depends on the name
	if err := tree.clone(o.repo); err != nil {
		return err
	}
	b := newBuilder(ctx, o, work, tree.dir)
	if o.edits > 0 {
		err = editsOf(b, tree, o)
	} else {
		err = commitsOf(b, tree, o)
	}
	if err != nil {
		return fmt.Errorf("%w (the programs are in %s, the tree is %s)", err, work, tree.dir)
	}
	return os.RemoveAll(work)
}

func absolute(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(dir)
}

func editsOf(b *builder, tree checkout, o options) error {
	c, err := newRandom(b, tree, o.until, o.seed)
	if err != nil {
		return err
	}
	err = c.run(o.edits)
	c.sum.print(os.Stdout, o)
	return err
}

func commitsOf(b *builder, tree checkout, o options) error {
	commits, err := tree.commits(o.until, o.commits)
	if err != nil {
		return err
	}
	var sum summary
	for i, id := range commits {
		one, err := b.commit(tree, id)
		if b.ctx.Err() != nil {
			break
		}
		if err != nil {
			return err
		}
		if i == 0 {
			continue // the first is what the others are edits of
		}
		sum.add(one)
		fmt.Fprintf(os.Stderr, "%3d/%d %s: %s%s\n", i, len(commits)-1, tree.name(id), one.way(), map[bool]string{true: " (bodies alone)"}[one.bodies])
	}
	sum.print(os.Stdout, o)
	return nil
}
