// exits ends by itself: "code 7", "signal 9", "panic", "print N" (bytes), "quit"
// (at the first signal).
package main

import (
	"bytes"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

func main() {
	n := 0
	if len(os.Args) > 2 {
		n, _ = strconv.Atoi(os.Args[2])
	}
	switch os.Args[1] {
	case "code":
		os.Exit(n)
	case "signal":
		signal.Reset(syscall.Signal(n))
		syscall.Kill(os.Getpid(), syscall.Signal(n))
		select {}
	case "panic":
		panic("as asked")
	case "print":
		if _, err := os.Stdout.Write(bytes.Repeat([]byte("x"), n)); err != nil {
			os.Exit(3)
		}
	case "quit":
		got := make(chan os.Signal, 1)
		signal.Notify(got)
		os.Stdout.WriteString("ready\n")
		for s := range got {
			if s != syscall.SIGURG && s != syscall.SIGCONT {
				os.Stdout.WriteString(s.String() + "\n")
				return
			}
		}
	}
}
