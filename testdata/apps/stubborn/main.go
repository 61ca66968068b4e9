// stubborn ignores SIGTERM and has a child in a session of its own that does so
// too. It prints both pids.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

func main() {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
	if len(os.Args) == 1 {
		child := exec.Command(os.Args[0], "child")
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := child.Start(); err != nil {
			panic(err)
		}
		fmt.Println(os.Getpid(), child.Process.Pid)
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	for range hup {
	}
}
