//go:build linux || darwin

package proc

import "testing"

func TestPhases(t *testing.T) {
	const bug = phase(-1) // stands for a panic
	for _, test := range []struct {
		name               string
		in                 phase
		stop, kill, reaped phase
		appRuns, kills     bool
	}{
		{"idle", idle, idle, over, bug, false, false},
		{"serving", serving, stopping, killing, sweeping, true, false},
		{"stopping", stopping, stopping, killing, lingering, true, false},
		{"lingering", lingering, lingering, sweeping, bug, false, false},
		{"killing", killing, killing, killing, sweeping, true, true},
		{"sweeping", sweeping, sweeping, sweeping, bug, false, true},
		{"over", over, over, over, bug, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			reaped := func() (p phase) {
				defer func() {
					if recover() != nil {
						p = bug
					}
				}()
				return test.in.reaped()
			}()
			if got := [3]phase{test.in.stop(), test.in.kill(), reaped}; got != [3]phase{test.stop, test.kill, test.reaped} {
				t.Errorf("stop, kill, reaped lead to %v, want %v", got, [3]phase{test.stop, test.kill, test.reaped})
			}
			if got := [2]bool{test.in.appRuns(), test.in.kills()}; got != [2]bool{test.appRuns, test.kills} {
				t.Errorf("the app runs, everything is killed: %v, want %v", got, [2]bool{test.appRuns, test.kills})
			}
		})
	}
}
