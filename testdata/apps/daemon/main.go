// daemon forks twice into a session of its own and prints the daemon's pid. The
// main process stays ("stay") or exits at once.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

func main() {
	again := func(mode string) {
		c := exec.Command(os.Args[0], mode)
		c.Stdout, c.SysProcAttr = os.Stdout, &syscall.SysProcAttr{Setsid: true}
		if err := c.Start(); err != nil {
			panic(err)
		}
		if mode == "middle" {
			c.Wait()
		} else {
			fmt.Println(c.Process.Pid)
		}
	}
	switch os.Args[1] {
	case "middle":
		again("last")
	case "last":
		signal.Ignore(syscall.SIGTERM)
		wait()
	case "stay":
		again("middle")
		wait()
	default:
		again("middle")
	}
}

func wait() {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	for range hup {
	}
}
