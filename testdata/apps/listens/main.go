//go:build linux

// Command listens does what the file that it is given says, a line a command: it opens
// listening sockets in every way that apps do, and some that none should. Every connection
// is answered with the tag of the file and TCP_USER_TIMEOUT of its socket. At SIGTERM it closes its listeners, waits a little,
// as for its clients, and exits.
//
//	tag WORD
//	listen ADDR [OPTION...]   reuseport v6only keepalive rcvbuf sndbuf freebind transparent device
//	                          timeout tcp dup epoll
//	unix PATH                 a Unix socket, as the net package opens one
//	agent PATH                a Unix socket of a child that may not be looked at, as ssh-agent may not
//	fallback PORT             127.0.0.1:PORT, or the next port that is free
//	dial ADDR                 "already running": exit 1 when somebody answers there
//	waitfree ADDR             until nobody answers there
//	probe ADDR                listen and close it again, as tools do that look for a free port
//	close                     the listeners, and go on
//	linger DURATION           between the close of its listeners and its exit; 150ms without
//	shutdown                  at the stop, shutdown(2) of the listeners before their close
//	inherit                   a child process serves from the listeners as well
//	child FILE ARGS...        start another program
//	reexec                    the program once more in this process, without its listeners
//	many PORT COUNT           listens on that many ports from there on
//	storm                     signals, without end
//	kill PORT                 kill -9 whoever has the port, as kill-port does
//	sleep DURATION
//	stamp FILE                writes the time into it
//	exit CODE
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var (
	tag       = "none"
	listeners []int
	shutdown  bool
	linger    = 150 * time.Millisecond
	unixFile  *os.File // else it is closed when it is garbage
)

func main() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	if os.Args[1] == "-inherited" {
		tag = os.Args[2]
		serve(3)
	} else if os.Args[1] == "-hidden" {
		_, _, errno := syscall.Syscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 0, 0)
		if errno != 0 {
			check(errno)
		}
		serveUnix(os.Args[2])
	} else {
		script, err := os.ReadFile(os.Args[1])
		check(err)
		for _, line := range strings.Split(strings.TrimSpace(string(script)), "\n") {
			do(strings.Fields(line))
		}
	}
	<-signals
	for _, fd := range listeners {
		if shutdown {
			syscall.Shutdown(fd, syscall.SHUT_RDWR)
		}
		syscall.Close(fd)
	}
	time.Sleep(linger)
}

func check(err error) {
	if err != nil {
		fmt.Println("listens:", err)
		os.Exit(1)
	}
}

func do(words []string) {
	if len(words) == 0 {
		return
	}
	f := verbs[words[0]]
	if f == nil {
		check(fmt.Errorf("unknown command %q", words[0]))
	}
	f(words[1:])
}

// verbs are what a line of a script may begin with.
var verbs = map[string]func(args []string){
	"tag": func(args []string) { tag = args[0] },

	"listen": func(args []string) {
		fd, err := listen(args[0], args[1:])
		check(err)
		serve(fd)
	},
	"unix":     func(args []string) { serveUnix(args[0]) },
	"agent":    func(args []string) { startAgent(args[0]) },
	"fallback": func(args []string) { fallBack(number(args[0])) },
	"many": func(args []string) {
		for i := range number(args[1]) {
			fd, err := listen(local(number(args[0])+i), nil)
			check(err)
			serve(fd)
		}
	},
	"probe": func(args []string) {
		fd, err := listen(args[0], nil)
		check(err)
		syscall.Close(fd)
	},
	"close": func([]string) {
		for _, fd := range listeners {
			syscall.Close(fd)
		}
		listeners = nil
	},
	"shutdown": func([]string) { shutdown = true },

	"dial": func(args []string) {
		if answers(args[0]) {
			fmt.Println("listens: already running")
			os.Exit(1)
		}
	},
	"waitfree": func(args []string) {
		for answers(args[0]) {
			time.Sleep(10 * time.Millisecond)
		}
	},

	"inherit": func([]string) { inherit() },
	"child": func(args []string) {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stdout = os.Stdout
		check(cmd.Start())
	},
	"reexec": func([]string) {
		if os.Getenv("REEXECUTED") == "" {
			check(syscall.Exec(os.Args[0], os.Args, append(os.Environ(), "REEXECUTED=1")))
		}
	},
	"storm": func([]string) {
		check(exec.Command("sh", "-c", "while kill -URG $PPID && kill -CHLD $PPID; do :; done").Start())
	},
	"kill": func(args []string) { kill(args[0]) },

	"linger": func(args []string) { linger = duration(args[0]) },
	"sleep":  func(args []string) { time.Sleep(duration(args[0])) },
	"stamp": func(args []string) {
		check(os.WriteFile(args[0], []byte(time.Now().Format(time.RFC3339Nano)), 0o600))
	},
	"exit": func(args []string) { os.Exit(number(args[0])) },
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	check(err)
	return n
}

func duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	check(err)
	return d
}

func local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// serveUnix listens on a file that outlives the listener.
func serveUnix(path string) {
	os.Remove(path)
	l, err := net.Listen("unix", path)
	check(err)
	file, err := l.(*net.UnixListener).File()
	check(err)
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	check(l.Close())
	serve(int(file.Fd()))
	unixFile = file
}

// startAgent returns when the socket listens.
func startAgent(path string) {
	os.Remove(path)
	check(exec.Command(os.Args[0], "-hidden", path).Start())
	for {
		if c, err := net.Dial("unix", path); err == nil {
			c.Close()
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// fallBack listens on the first free port from there on.
func fallBack(port int) {
	fd, err := listen(local(port), nil)
	for err != nil {
		port++
		fd, err = listen(local(port), nil)
	}
	serve(fd)
}

// inherit starts a worker that has the first listener, too.
func inherit() {
	cmd := exec.Command(os.Args[0], "-inherited", tag)
	fd, err := syscall.Dup(listeners[0])
	check(err)
	cmd.ExtraFiles = []*os.File{os.NewFile(uintptr(fd), "listener")}
	check(cmd.Start())
	syscall.Close(fd)
}

// answers reports whether a connect succeeds.
func answers(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// listen makes a socket by hand: the net package hides what is tried here.
func listen(addr string, options []string) (int, error) {
	host, port, err := net.SplitHostPort(addr)
	check(err)
	family := syscall.AF_INET
	if strings.Contains(host, ":") {
		family = syscall.AF_INET6
	}
	const mptcp = 262
	protocol := mptcp
	for _, o := range options {
		if o == "tcp" {
			protocol = syscall.IPPROTO_TCP
		}
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, protocol)
	if err != nil && protocol == mptcp {
		fd, err = syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	}
	check(err)
	check(syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	if family == syscall.AF_INET6 {
		check(syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, 0))
	}
	for _, o := range options {
		option(fd, o)
	}
	ip := net.ParseIP(host)
	var sa syscall.Sockaddr
	if family == syscall.AF_INET {
		sa = &syscall.SockaddrInet4{Port: number(port), Addr: [4]byte(ip.To4())}
	} else {
		sa = &syscall.SockaddrInet6{Port: number(port), Addr: [16]byte(ip.To16())}
	}
	err = syscall.Bind(fd, sa)
	if err == nil {
		err = syscall.Listen(fd, 128)
	}
	if err != nil {
		syscall.Close(fd)
		return -1, fmt.Errorf("%s: %w", addr, err)
	}
	return fd, nil
}

func option(fd int, name string) {
	switch name {
	case "reuseport":
		check(syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, 15, 1)) // SO_REUSEPORT
	case "v6only":
		check(syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, 1))
	case "keepalive":
		check(syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1))
	case "rcvbuf":
		check(syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 100000))
	case "sndbuf":
		check(syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, 100000))
	case "freebind":
		check(syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, syscall.IP_FREEBIND, 1))
	case "transparent":
		check(syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, syscall.IP_TRANSPARENT, 1))
	case "timeout":
		check(syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, 18, 77000)) // TCP_USER_TIMEOUT
	case "device":
		check(syscall.BindToDevice(fd, "lo"))
	case "dup":
		_, err := syscall.Dup(fd)
		check(err)
	case "epoll":
		ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
		check(err)
		check(syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}))
	}
}

// serve answers every connection, until the listener is closed.
func serve(fd int) {
	listeners = append(listeners, fd)
	pause := time.Duration(10+len(listeners)) * 100 * time.Microsecond // they share the processor
	syscall.SetNonblock(fd, true)
	go func() {
		for {
			c, _, err := syscall.Accept4(fd, syscall.SOCK_CLOEXEC)
			if err == syscall.EAGAIN {
				time.Sleep(pause)
				continue
			}
			if err != nil {
				return
			}
			go func() {
				f := os.NewFile(uintptr(c), "connection")
				defer f.Close()
				timeout, _ := syscall.GetsockoptInt(c, syscall.IPPROTO_TCP, 18) // TCP_USER_TIMEOUT
				fmt.Fprintf(f, "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n%s\nuser timeout %d ms\n", tag, timeout)
				syscall.Shutdown(c, syscall.SHUT_WR)
				io.Copy(io.Discard, f) // else what it has sent would reset the connection
			}()
		}
	}()
}

// kill ends whoever has a socket that listens on the port, as kill-port and fuser -k do.
func kill(port string) {
	inodes := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, _ := os.ReadFile(table)
		for _, line := range strings.Split(string(text), "\n") {
			f := strings.Fields(line)
			if len(f) > 9 && f[3] == "0A" && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", number(port))) {
				inodes["socket:["+f[9]+"]"] = true
			}
		}
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && inodes[target] {
			pid, _ := strconv.Atoi(strings.Split(link, "/")[2])
			fmt.Println("listens: kill", pid)
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	for answers("127.0.0.1:" + port) {
		time.Sleep(time.Millisecond)
	}
}
