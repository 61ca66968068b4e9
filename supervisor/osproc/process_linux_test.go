package osproc

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// A zombie is there to be looked at, and does not run; a process that was waited
// for is gone.
func TestAlive(t *testing.T) {
	if !Alive(os.Getpid()) {
		t.Error("this process does not run")
	}
	cmd := exec.Command("true")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = out.Read(make([]byte, 1)) // its end of file: it is ending
	pid := cmd.Process.Pid
	eventually(t, "a zombie", func() bool { return !Alive(pid) })
	if p, ok := Look(pid); !ok || !p.Zombie || p.PPID != os.Getpid() {
		t.Errorf("of the zombie there is %+v, %v", p, ok)
	}
	_ = cmd.Wait()
	if p, ok := Look(pid); ok {
		t.Errorf("of a process that was waited for there is %+v", p)
	}
}

// Kill must leave alone who has the pid now.
func TestKillIsExact(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p, ok := Look(cmd.Process.Pid)
	if !ok {
		t.Fatal("the process is not there")
	}
	other := p
	other.Start--
	other.Kill()
	if !Alive(p.PID) {
		t.Error("killed a process that started at another time")
	}
	p.Kill()
	if err := cmd.Wait(); KilledBy(cmd.ProcessState) != "SIGKILL" {
		t.Errorf("ended with %v", err)
	}
}

func TestParseStat(t *testing.T) {
	rest := " S 7 8 9 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4242 1 2 3"
	for name, tc := range map[string]struct {
		in   string
		want Process
		ok   bool
	}{
		"plain":       {"12 (app)" + rest, Process{PID: 12, PPID: 7, Group: 8, Start: 4242}, true},
		"parentheses": {"12 (a) R 1 (b)" + rest, Process{PID: 12, PPID: 7, Group: 8, Start: 4242}, true},
		"cut":         {"12 (app) S 7 8", Process{}, false},
		"empty":       {"", Process{}, false},
		"no pid":      {"(app)" + rest, Process{}, false},
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
		if want := (Process{PID: 12, PPID: ppid, Group: group, Start: 4242}); !ok || got != want {
			t.Errorf("got %+v %v, want %+v", got, ok, want)
		}
		parseStat([]byte(comm))
	})
}
