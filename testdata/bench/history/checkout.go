package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// checkout is a clone whose work tree is one commit after the other.
type checkout struct {
	ctx context.Context
	dir string
}

func (c checkout) clone(repo string) error {
	if err := os.RemoveAll(c.dir); err != nil {
		return err
	}
	out, err := exec.CommandContext(c.ctx, "git", "clone", "-q", "--no-checkout", repo, c.dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("clone %s: %w: %s", repo, err, out)
	}
	_, err = c.git("sparse-checkout", "set", "--no-cone", "/*", "!_*/") // in directories of such names there are no packages
	return err
}

func (c checkout) git(args ...string) (string, error) {
	out, err := exec.CommandContext(c.ctx, "git", append([]string{"-C", c.dir}, args...)...).Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}

// commits returns n commits and the one before, the oldest first.
func (c checkout) commits(until string, n int) ([]string, error) {
	out, err := c.git("rev-list", "--first-parent", "-n", strconv.Itoa(n+1), until)
	if err != nil {
		return nil, err
	}
	ids := strings.Fields(out)
	slices.Reverse(ids)
	return ids, nil
}

func (c checkout) take(id string) error {
	_, err := c.git("checkout", "-q", "--force", id)
	return err
}

// name is how people call a commit.
func (c checkout) name(id string) string {
	name, err := c.git("log", "-1", "--format=%h %s", id)
	if err != nil {
		return id
	}
	return name
}
