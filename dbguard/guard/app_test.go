package guard

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// The test binary is also the app: a program that opens sessions to
// DATABASE_URL, leaves each in the state that an argument says, and waits to be
// killed.
func TestMain(m *testing.M) {
	if states := os.Getenv("GUARD_TEST_APP"); states != "" {
		if err := appMain(strings.Fields(states)); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// appMain is the app. Each state is "idle", "tx" (an open transaction with a
// row lock), "query" (a long query inside such a transaction, which the server does
// not end by itself), "checked" (one that it ends, as connectionCheck has it) or
// "temp" (temporary table, prepared statement, advisory lock, LISTEN).
func appMain(states []string) error {
	for i, state := range states {
		conn, err := pgconn.Connect(context.Background(), os.Getenv("DATABASE_URL"))
		if err != nil {
			return err
		}
		lock := fmt.Sprintf("begin; update things set n = n + 1 where id = %d", i+1)
		sql := map[string]string{
			"idle": "select 1", "tx": lock, "query": lock + "; " + unchecked, "checked": lock,
			"temp": "create temp table t (a int); prepare p as select 1; select pg_advisory_lock(7); listen x",
		}[state]
		if _, err := conn.Exec(context.Background(), sql).ReadAll(); err != nil {
			return err
		}
		if state == "query" || state == "checked" {
			conn.Frontend().SendQuery(&pgproto3.Query{String: "select pg_sleep(600)"})
			if err := conn.Frontend().Flush(); err != nil { // it is on its way before we say that we are ready
				return err
			}
		}
	}
	fmt.Println("ready")
	select {}
}

// unchecked takes connectionCheck back where the server knows it (14 on): on a busy machine a drain
// may begin more than a second after the kill.
const unchecked = "select set_config(name, '0', false) from pg_settings where name = 'client_connection_check_interval'"

// app is a running app.
type app struct{ cmd *exec.Cmd }

// startApp starts the app with the environment and waits until its sessions
// are in their states.
func startApp(t *testing.T, env []string, states string) *app {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	a := &app{exec.Command(exe)}
	a.cmd.Env = append(env, "GUARD_TEST_APP="+states)
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	a.cmd.Stderr = os.Stderr
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.kill)
	line, _ := bufio.NewReader(out).ReadString('\n')
	if line != "ready\n" {
		a.kill()
		t.Fatalf("the app says: %s", line)
	}
	return a
}

func (a *app) pid() int { return a.cmd.Process.Pid }

// kill ends the app by SIGKILL and waits until it is gone.
func (a *app) kill() {
	if a.cmd.ProcessState == nil {
		_ = a.cmd.Process.Kill()
		_ = a.cmd.Wait()
	}
}
