// spawner is a chain of processes, each of which starts the next in a session
// of its own and exits: at no time is there one pid to kill for long. It ends by
// itself after 20000 links should nobody end it.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
)

func main() {
	n := 0
	if len(os.Args) > 1 {
		n, _ = strconv.Atoi(os.Args[1])
	}
	if n == 0 {
		fmt.Println("ready")
	}
	if n < 20000 {
		next := exec.Command(os.Args[0], strconv.Itoa(n+1))
		next.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		next.Start()
	}
	if n == 0 {
		<-stop()
	}
}

func stop() chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	return c
}
