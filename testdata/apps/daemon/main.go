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
		}
	}
	switch os.Args[1] {
	case "middle":
		again("last")
	case "last":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println(os.Getpid())
		wait()
	case "stay":
		again("middle")
		wait()
	default:
		again("middle")
	}
}

func wait() { <-make(chan os.Signal, len(os.Args)) }
