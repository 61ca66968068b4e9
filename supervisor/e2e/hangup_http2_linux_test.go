package e2e_test

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestHangUpSparesHTTP2: over one connection of HTTP/2 some requests are answered, and one is not. It is
// answered when the app stops. What listens elsewhere is hung up on.
func TestHangUpSparesHTTP2(t *testing.T) {
	const server = `srv := &http.Server{Addr: os.Getenv("ADDR")}`
	for name, row := range map[string]struct {
		more   map[string]string
		scheme string
		others int // that stream from the other address, and are hung up on
	}{
		"over TLS": {map[string]string{"tls.go": strings.Replace(streamingTLS, "= map[string]func(*http.Server, *tls.Conn, http.Handler){}", "map[string]func(*http.Server, *tls.Conn, http.Handler)", 1)}, "https", 1},
		"without": {map[string]string{"main.go": strings.Replace(streaming, server, server+
			"\n\tsrv.Protocols = new(http.Protocols)\n\tsrv.Protocols.SetHTTP1(true)\n\tsrv.Protocols.SetUnencryptedHTTP2(true)", 1)}, "http", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := runStreams(t, "grace = '2m'\n", row.more)
			spared := map[string]string{"https": s.secure, "http": s.addr}[row.scheme]
			url := row.scheme + "://" + spared
			client := http.Client{Transport: http2Client(), Timeout: 2 * limit}
			if resp, err := client.Get(url + "/"); err != nil || resp.ProtoMajor != 2 {
				t.Fatalf("no HTTP/2: %v, %v", resp, err)
			}
			slow := make(chan error, 1)
			go func() { slow <- body(&client, url+"/slow", "slow") }()
			if !poll(limit, func() bool { return body(http.DefaultClient, "http://"+s.addr+"/waiting", "1") == nil }) {
				t.Fatal("the slow request did not come")
			}
			<-time.After(20 * time.Millisecond) // what is told apart is more than 8 ms
			if err := body(&client, url+"/", "v0"); err != nil {
				t.Fatal(err)
			}
			for range row.others {
				request(t, s.addr, "/ticks")
			}
			exited, took, hungUp := s.restart()
			if err := <-slow; err != nil {
				t.Errorf("the slow request: %v\n%s", err, s.log())
			}
			if exited.int("code") != 0 || hungUp != row.others {
				t.Errorf("%s, %d hung up on, in %v\n%s", exited.Raw, hungUp, took, s.log())
			}
			if n := strings.Count(s.log(), "the app may serve HTTP/2 at "); n != 1 || row.others > 0 && !strings.Contains(s.log(), "HTTP/2 at "+spared) {
				t.Errorf("said %d times\n%s", n, s.log())
			}
			s.serves("http://"+s.addr, "v1")
			s.stop()
		})
	}
}

func http2Client() *http.Transport {
	client := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: new(http.Protocols)}
	client.Protocols.SetHTTP2(true)
	client.Protocols.SetUnencryptedHTTP2(true)
	return client
}

// TestHangUpSparesGRPC: an app that serves gRPC is not hung up on, which is said once. One that only
// imports it is.
func TestHangUpSparesGRPC(t *testing.T) {
	grpc := map[string]string{
		"go.mod":           "module example.com/app\n\ngo 1.25\n\nrequire google.golang.org/grpc v1.0.0\n\nreplace google.golang.org/grpc => ./grpc\n",
		"grpc/go.mod":      "module google.golang.org/grpc\n\ngo 1.25\n",
		"grpc/grpc.go":     "package grpc\n\ntype Server struct{ n int }\n\n//go:noinline\nfunc NewServer() *Server { return new(Server) }\n\nfunc NewClient() {}\n",
		"build-and-run.sh": "go build -o app . && exec ./app\n",
	}
	const command = "command = ['sh', 'build-and-run.sh']\n[watch]\ninclude = ['main.go']\n"
	for name, row := range map[string]struct {
		command, uses string
		spared        bool
	}{
		"package":              {"", "grpc.NewServer()", true},
		"command":              {command, "grpc.NewServer()", true},
		"package, as a client": {"", "grpc.NewClient()", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uses := map[string]string{"uses.go": "package main\n\nimport \"google.golang.org/grpc\"\n\nfunc init() { " + row.uses + " }\n"}
			grace := "grace = '2m'\n" // which nobody waits for
			if row.spared {
				grace = "grace = '1s'\n"
			}
			s := runStreams(t, grace+row.command, grpc, uses)
			request(t, s.addr, "/ticks")
			exited, _, hungUp := s.restart()
			if (exited.str("signal") == "SIGKILL") != row.spared || (hungUp == 0) != row.spared {
				t.Errorf("%s, %d hung up on\n%s", exited.Raw, hungUp, s.log())
			}
			s.serves("http://"+s.addr, "v1")
			s.stop()
			if n := strings.Count(s.log(), "the app may serve HTTP/2 at "); (n == 1) != row.spared || n > 1 {
				t.Errorf("said %d times\n%s", n, s.log())
			}
		})
	}
}
