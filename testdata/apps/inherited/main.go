// inherited prints what it was given, as "key value" lines: arguments, working
// directory, open files, signals, limits, group.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func main() {
	fmt.Printf("args %q\n", os.Args[1:])
	dir, _ := os.Getwd()
	fmt.Println("dir", dir)
	fmt.Println("group", syscall.Getpgrp() == os.Getpid())
	// A shell changes none of this by itself, the Go runtime does.
	sh := exec.Command("sh", "-c", `ls /proc/$$/fd | tr '\n' ' ' | sed 's/^/fds /'; echo; ulimit -n | sed 's/^/files /'; grep -E '^Sig(Blk|Ign)' /proc/$$/status`)
	sh.Stdout, sh.Stderr = os.Stdout, os.Stderr
	sh.Run()
}
