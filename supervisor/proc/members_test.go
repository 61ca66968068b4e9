//go:build linux

package proc

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"
)

func BenchmarkMembers(b *testing.B) {
	for b.Loop() {
		members(0, os.Getpid())
	}
	b.ReportMetric(float64(len(processes())), "processes")
}

// Both ways to find children must agree, whichever the kernel allows.
func TestChildren(t *testing.T) {
	cmd := exec.Command("sh", "-c", "sleep 60 & echo; wait")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		for _, p := range members(0, os.Getpid()) {
			p.kill()
		}
		cmd.Wait()
	}()
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	names := func(all []member) (pids []int) {
		for _, p := range all {
			pids = append(pids, p.pid)
		}
		return pids
	}
	all := names(members(0, os.Getpid()))
	if len(all) != 2 || all[0] != cmd.Process.Pid {
		t.Errorf("members %v, want the shell %d and its child", all, cmd.Process.Pid)
	}
	find := scanned()
	for _, pid := range []int{os.Getpid(), cmd.Process.Pid} {
		if a, b := names(find(pid)), names(listed(pid)); !slices.Equal(a, b) {
			t.Errorf("children of %d: scanned %v, listed %v", pid, a, b)
		}
	}
}

func TestParseStat(t *testing.T) {
	rest := " S 7 8 9 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4242 1 2 3"
	for name, tc := range map[string]struct {
		in   string
		want member
		ok   bool
	}{
		"plain":       {"12 (app)" + rest, member{pid: 12, ppid: 7, group: 8, start: 4242}, true},
		"parentheses": {"12 (a) R 1 (b)" + rest, member{pid: 12, ppid: 7, group: 8, start: 4242}, true},
		"cut":         {"12 (app) S 7 8", member{}, false},
		"empty":       {"", member{}, false},
		"no pid":      {"(app)" + rest, member{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := parseStat([]byte(tc.in)); got != tc.want || ok != tc.ok {
				t.Errorf("got %+v %v", got, ok)
			}
		})
	}
}

// A process names itself: whatever it writes must not confuse the reader.
func FuzzParseStat(f *testing.F) {
	f.Add("app", 1, 2)
	f.Add(") Z 1 1 1 (", 3, 4)
	f.Fuzz(func(t *testing.T, comm string, ppid, group int) {
		got, ok := parseStat(fmt.Appendf(nil, "12 (%s) S %d %d 9 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4242 1 2 3", comm, ppid, group))
		if want := (member{pid: 12, ppid: ppid, group: group, start: 4242}); !ok || got != want {
			t.Errorf("got %+v %v, want %+v", got, ok, want)
		}
		parseStat([]byte(comm))
	})
}
