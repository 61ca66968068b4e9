package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"example.com/bench/run"
)

// source is the app but for run.Serve.
const source = `package main

import (
	"fmt"
	"io"
	"net/http"
	"time"
)

const version = "v0"

func main() {
	http.HandleFunc("/version", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, version) })
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintln(w, n)
	})
	http.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for {
			io.WriteString(w, "data: tick\n\n")
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	})
	serve()
}
`

// app is one that runs under a contender.
type app struct {
	dir     string
	url     string // for clients
	process *run.Process
	edits   int
}

// start returns when the app answers.
func start(ctx context.Context, c *contender, dir string) (*app, error) {
	ports, err := run.FreePorts(2, 20000, 32000)
	if err != nil {
		return nil, err
	}
	files := map[string]string{"go.mod": "module example.com/app\n\ngo 1.26\n", "main.go": source, "serve.go": run.Serve}
	port := ports[0]
	if c.air != "" {
		files[".air.toml"] = c.air
		if strings.Contains(c.air, "%d") {
			files[".air.toml"] = fmt.Sprintf(c.air, ports[1], ports[0])
			port = ports[1]
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	a := &app{dir: dir, url: fmt.Sprintf("http://127.0.0.1:%d", port)}
	env := append(os.Environ(), fmt.Sprintf("PORT=%d", ports[0]), "DATABASE_URL=")
	if a.process, err = run.Start(dir, dir+".log", env, nil, append([]string{c.bin}, c.args...)...); err != nil {
		return nil, err
	}
	if err := a.await(ctx, "v0"); err != nil {
		a.stop()
		return nil, err
	}
	return a, nil
}

func (a *app) stop() { a.process.Stop(syscall.SIGINT, 10*time.Second) }

// save edits the source and returns how long it took to be served.
func (a *app) save(ctx context.Context) (time.Duration, error) {
	a.edits++
	want := fmt.Sprintf("v%d", a.edits)
	text := strings.Replace(source, `"v0"`, `"`+want+`"`, 1)
	saved := time.Now()
	if err := os.WriteFile(filepath.Join(a.dir, "main.go"), []byte(text), 0o644); err != nil {
		return 0, err
	}
	err := a.await(ctx, want)
	return time.Since(saved), err
}

// await asks by fresh connections until the app answers with that version.
func (a *app) await(ctx context.Context, want string) error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	for end := time.Now().Add(time.Minute); time.Now().Before(end) && ctx.Err() == nil; run.Pause(ctx, 5*time.Millisecond) {
		answer, err := client.Get(a.url + "/version")
		if err != nil {
			continue
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if string(body) == want {
			return nil
		}
	}
	return fmt.Errorf("%s was never served\n%s", want, run.Tail(a.process.Log))
}
