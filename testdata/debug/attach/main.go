// Command attach is an editor as a Delve server sees it, for tests: it attaches to a running program
// ("remote"), sets a breakpoint, and tells on stdout what comes of it, a line each:
//
//	connected       so far it is only the system that has answered
//	set 14          the breakpoint is there
//	hit main.go:14  the program stands there
//	closed          the server has ended the session
//	refused         there is no server at that address
//
// Each line on stdin has the program go on. At the end of stdin it leaves.
//
//	attach ADDR FILE LINE
package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/google/go-dap"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "attach:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return errors.New("want ADDR FILE LINE")
	}
	line, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	for { // a server that is about to end takes a last connection
		e, err := attach(args[0])
		if errors.Is(err, syscall.ECONNREFUSED) {
			fmt.Println("refused")
			return nil
		}
		if err != nil {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		return e.debug(args[1], line)
	}
}

// editor is one connection.
type editor struct {
	conn   net.Conn
	in     *bufio.Reader
	seq    int
	events []dap.Message // that came while an answer was awaited
}

// attach does what an editor does before it sets breakpoints.
func attach(addr string) (*editor, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	fmt.Println("connected")
	e := &editor{conn: conn, in: bufio.NewReader(conn)}
	init := &dap.InitializeRequest{Request: e.request("initialize"), Arguments: dap.InitializeRequestArguments{
		AdapterID: "go", PathFormat: "path", LinesStartAt1: true, ColumnsStartAt1: true,
	}}
	err = e.ask(init, init.Seq, nil)
	if err == nil {
		req := &dap.AttachRequest{Request: e.request("attach"), Arguments: []byte(`{"request": "attach", "mode": "remote"}`)}
		err = e.ask(req, req.Seq, nil)
	}
	if err != nil {
		conn.Close()
	}
	return e, err
}

func (e *editor) debug(file string, line int) error {
	defer e.conn.Close()
	if err := e.set(file, line); err != nil {
		return err
	}
	fmt.Println("set", line)
	goOn := make(chan struct{})
	go func() {
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			goOn <- struct{}{}
		}
		os.Exit(0) // like an editor that is closed
	}()
	for {
		stopped, err := e.stopped()
		if err != nil {
			fmt.Println("closed")
			return nil
		}
		if err := e.where(stopped.Body.ThreadId); err != nil {
			return err
		}
		<-goOn
		req := &dap.ContinueRequest{Request: e.request("continue"), Arguments: dap.ContinueArguments{ThreadId: stopped.Body.ThreadId}}
		if err := e.ask(req, req.Seq, nil); err != nil {
			fmt.Println("closed")
			return nil
		}
	}
}

// set sets the breakpoint, and has the server begin.
func (e *editor) set(file string, line int) error {
	req := &dap.SetBreakpointsRequest{Request: e.request("setBreakpoints"), Arguments: dap.SetBreakpointsArguments{
		Source: dap.Source{Path: file}, Breakpoints: []dap.SourceBreakpoint{{Line: line}},
	}}
	var set *dap.SetBreakpointsResponse
	if err := e.ask(req, req.Seq, func(m dap.Message) { set, _ = m.(*dap.SetBreakpointsResponse) }); err != nil {
		return err
	}
	if set == nil || len(set.Body.Breakpoints) != 1 || !set.Body.Breakpoints[0].Verified || set.Body.Breakpoints[0].Line != line {
		return fmt.Errorf("the breakpoint is not there: %+v", set)
	}
	done := &dap.ConfigurationDoneRequest{Request: e.request("configurationDone")}
	return e.ask(done, done.Seq, nil)
}

// stopped waits until the program stands at a breakpoint.
func (e *editor) stopped() (*dap.StoppedEvent, error) {
	for {
		var m dap.Message
		if len(e.events) > 0 {
			m, e.events = e.events[0], e.events[1:]
		} else if next, err := dap.ReadProtocolMessage(e.in); err != nil {
			return nil, err
		} else {
			m = next
		}
		switch m := m.(type) {
		case *dap.StoppedEvent:
			return m, nil
		case *dap.TerminatedEvent:
			return nil, errors.New("the program has ended")
		}
	}
}

// where prints where a goroutine stands.
func (e *editor) where(thread int) error {
	req := &dap.StackTraceRequest{Request: e.request("stackTrace"), Arguments: dap.StackTraceArguments{ThreadId: thread, Levels: 1}}
	var stack *dap.StackTraceResponse
	if err := e.ask(req, req.Seq, func(m dap.Message) { stack, _ = m.(*dap.StackTraceResponse) }); err != nil {
		return err
	}
	if stack == nil || len(stack.Body.StackFrames) == 0 || stack.Body.StackFrames[0].Source == nil {
		return fmt.Errorf("no stack: %+v", stack)
	}
	top := stack.Body.StackFrames[0]
	fmt.Printf("hit %s:%d\n", filepath.Base(top.Source.Path), top.Line)
	return nil
}

func (e *editor) request(command string) dap.Request {
	e.seq++
	return dap.Request{ProtocolMessage: dap.ProtocolMessage{Seq: e.seq, Type: "request"}, Command: command}
}

// ask sends a request and waits for the answer to it. Events that come first are kept.
func (e *editor) ask(m dap.Message, seq int, take func(dap.Message)) error {
	if err := dap.WriteProtocolMessage(e.conn, m); err != nil {
		return err
	}
	for {
		m, err := dap.ReadProtocolMessage(e.in)
		if err != nil {
			return err
		}
		answer, is := m.(dap.ResponseMessage)
		if !is {
			e.events = append(e.events, m)
			continue
		}
		response := answer.GetResponse()
		if response.RequestSeq != seq {
			continue
		}
		if !response.Success {
			return fmt.Errorf("%s: %s", response.Command, response.Message)
		}
		if take != nil {
			take(m)
		}
		return nil
	}
}
