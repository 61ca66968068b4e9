package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"example.com/bench/run"
)

// source is the app: it answers with a kilobyte, and to /page with a document.
const source = `package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

func main() {
	text := strings.Repeat("x", 1024)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, text)
	})
	http.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<!doctype html><html><head><title>page</title></head><body>"+text+"</body></html>")
	})
	fmt.Println(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
	os.Exit(1)
}
`

// bare is the standard library's reverse proxy and nothing else: what is left of devguard's front when all that it
// promises is taken away.
const bare = `package main

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
)

func main() {
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = 64
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "127.0.0.1:" + os.Args[1]})
	fmt.Println(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), proxy))
	os.Exit(1)
}
`

const airConfig = `root = "."
tmp_dir = "tmp"
[build]
cmd = "go build -o ./tmp/app ."
entrypoint = ["./tmp/app"]
[proxy]
enabled = true
proxy_port = %d
app_port = %d
`

const nginxConfig = `worker_processes auto;
daemon off;
pid %[1]s/nginx.pid;
error_log stderr;
events { worker_connections 1024; }
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	keepalive_requests 1000000;
	upstream app { server 127.0.0.1:%[3]d; keepalive 64; keepalive_requests 1000000; }
	server {
		listen 127.0.0.1:%[2]d;
		location / {
			proxy_pass http://app;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $http_host;
			proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
			proxy_set_header X-Forwarded-Proto $scheme;
			proxy_set_header X-Forwarded-Host $http_host;
		}
	}
}
`

// contender is one way to the app.
type contender struct {
	name    string
	addr    string // for clients
	results [len(kinds)][]result
	process *run.Process
}

// nginx is the name of the contender that the others are compared with.
const nginx = "nginx"

// start starts all, and returns when each has answered. What it has started is returned with an error, too.
func start(ctx context.Context, repo, work string) (all []*contender, err error) {
	if _, err := exec.LookPath("nginx"); err != nil {
		return nil, fmt.Errorf("%w: apt-get install nginx-light", err)
	}
	for _, tool := range []string{"devguard", "air"} {
		if err := run.Build(ctx, repo, tool, filepath.Join(work, tool), os.Environ()); err != nil {
			return nil, err
		}
	}
	ports, err := run.FreePorts(7, 12000, 20000)
	if err != nil {
		return nil, err
	}
	app, placed, standing, airs, behindAir, nginxs, bares := ports[0], ports[1], ports[2], ports[3], ports[4], ports[5], ports[6]
	devguard := filepath.Join(work, "devguard")
	for _, c := range []struct {
		name        string
		listen, env int // 0: devguard says PORT
		file, text  string
		command     []string
	}{
		{name: "direct", listen: app, env: app, command: []string{"sh", "-c", "go build -o app . && exec ./app"}},
		{name: "`devguard run --front`", listen: placed, env: placed, command: []string{devguard, "run", "--front"}},
		{name: "`devguard run --front=ADDR`", listen: standing, command: []string{devguard, "run", fmt.Sprintf("--front=127.0.0.1:%d", standing)}},
		{name: "net/http/httputil.ReverseProxy", listen: bares, env: bares, file: "main.go", text: bare,
			command: []string{"sh", "-c", fmt.Sprintf("go build -o proxy . && exec ./proxy %d", app)}},
		{name: "`air`, its proxy", listen: airs, env: behindAir, file: ".air.toml", text: fmt.Sprintf(airConfig, airs, behindAir),
			command: []string{filepath.Join(work, "air")}},
		{name: nginx, listen: nginxs, file: "nginx.conf", text: fmt.Sprintf(nginxConfig, work, nginxs, app),
			command: []string{"nginx", "-e", "stderr", "-p", work, "-c", filepath.Join(work, nginx, "nginx.conf")}},
	} {
		dir := filepath.Join(work, fmt.Sprint(len(all)))
		if c.name == nginx {
			dir = filepath.Join(work, nginx)
		}
		one := &contender{name: c.name, addr: fmt.Sprintf("127.0.0.1:%d", c.listen)}
		files := map[string]string{"go.mod": "module example.com/app\n\ngo 1.26\n", "main.go": source}
		if c.file != "" {
			files[c.file] = c.text
		}
		if err := one.start(dir, files, c.env, c.command); err != nil {
			return all, err
		}
		all = append(all, one)
		if err := one.await(ctx); err != nil {
			return all, err
		}
	}
	return all, nil
}

func (c *contender) start(dir string, files map[string]string, port int, command []string) (err error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	env := append(os.Environ(), "DATABASE_URL=")
	if port != 0 {
		env = append(env, fmt.Sprintf("PORT=%d", port))
	}
	c.process, err = run.Start(dir, dir+".log", env, nil, command...)
	return err
}

// await returns when it answers.
func (c *contender) await(ctx context.Context) (err error) {
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		select {
		case <-c.process.Done:
			return fmt.Errorf("%s does not answer: %w", c.name, c.process.Exited())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
			if _, err = ask(ctx, c.addr, kinds[0].request, options{clients: 1}); err == nil {
				return nil
			}
		}
	}
	return fmt.Errorf("%s does not answer: %w\n%s", c.name, err, run.Tail(c.process.Log))
}
