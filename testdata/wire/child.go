package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// child is one of our processes; see serve.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// startChild starts this program in a role before upstream.
func startChild(s *stage, role, upstream, profile string) *child {
	program, err := os.Executable()
	s.must(err)
	c := &child{cmd: exec.Command(program)}
	if profile != "" {
		profile, err = filepath.Abs(profile)
		s.must(err)
	}
	c.cmd.Env = append(withoutPG(os.Environ()), roleVariable+"="+role, upstreamVariable+"="+upstream, profileVariable+"="+profile)
	c.cmd.Stderr = os.Stderr
	c.in, err = c.cmd.StdinPipe()
	s.must(err)
	out, err := c.cmd.StdoutPipe()
	s.must(err)
	c.out = bufio.NewReader(out)
	s.must(c.cmd.Start())
	s.Cleanup(func() {
		c.in.Close() // which ends it
		if err := c.cmd.Wait(); err != nil {
			s.Errorf("%s: %w", role, err)
		}
	})
	return c
}

// ask has the process do something and returns its answer.
func (c *child) ask(command string) (string, error) {
	if _, err := fmt.Fprintln(c.in, command); err != nil {
		return "", err
	}
	line, err := c.out.ReadString('\n')
	if err == io.EOF {
		err = errors.New("it has ended")
	}
	return strings.TrimSpace(line), err
}

// withoutPG is an environment without the variables that a client obeys.
func withoutPG(env []string) []string {
	var out []string
	for _, pair := range env {
		if !strings.HasPrefix(pair, "PG") && !strings.HasPrefix(pair, "DATABASE_URL=") {
			out = append(out, pair)
		}
	}
	return out
}
