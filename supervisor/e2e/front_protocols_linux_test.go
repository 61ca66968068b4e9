package e2e_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"
)

// polyglot listens at four ports, and speaks TLS, HTTP/2 without TLS as gRPC does, a protocol in which
// the server speaks first, and one in which the client does.
const polyglot = `package main

import (
	"bufio"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
)

const version = "v0"

func listen(name string) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv(name))
	if err != nil {
		panic(err)
	}
	return l
}

func serve(l net.Listener, talk func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			defer c.Close()
			talk(c)
		}()
	}
}

func certificate() tls.Certificate {
	public, private, _ := ed25519.GenerateKey(rand.Reader)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the app"}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, public, private)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
}

func call(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status")
	w.WriteHeader(200)
	w.(http.Flusher).Flush()
	messages := bufio.NewScanner(r.Body)
	for messages.Scan() {
		fmt.Fprintln(w, version, messages.Text())
		w.(http.Flusher).Flush()
	}
	w.Header().Set("Grpc-Status", "0")
}

func main() {
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, version, " ", r.Proto, " ", r.Host != "") })
	secure := &http.Server{Handler: page, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate()}}}
	go secure.ServeTLS(listen("TLS"), "", "")
	calls := &http.Server{Handler: http.HandlerFunc(call), Protocols: new(http.Protocols)}
	calls.Protocols.SetUnencryptedHTTP2(true)
	go calls.Serve(listen("GRPC"))
	go serve(listen("GREETS"), func(c net.Conn) {
		fmt.Fprintln(c, version, "ready")
		io.Copy(c, c)
	})
	serve(listen("LISTENS"), func(c net.Conn) {
		lines := bufio.NewScanner(c)
		for lines.Scan() {
			fmt.Fprintln(c, version, lines.Text())
		}
	})
}
`

// talks are what clients of polyglot say, each as one line.
var talks = map[string]func(addr string) (string, error){
	"TLS": func(addr string) (string, error) {
		client := &http.Client{Timeout: limit, Transport: &http.Transport{
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true, DisableKeepAlives: true,
		}}
		res, err := client.Get("https://" + addr)
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		return fmt.Sprintf("%s from %s", body, res.TLS.PeerCertificates[0].Subject.CommonName), err
	},
	"GRPC":    callOver,
	"GREETS":  func(addr string) (string, error) { return talkTo(addr, true) },
	"LISTENS": func(addr string) (string, error) { return talkTo(addr, false) },
}

// callOver sends two messages, each after the answer to the one before, and reads the trailer.
func callOver(addr string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	messages, w := io.Pipe()
	defer w.Close()
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/a.Service/Method", messages)
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	res, err := transport.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	r, out := bufio.NewReader(res.Body), ""
	for _, message := range []string{"one", "two"} {
		fmt.Fprintln(w, message)
		answer, err := r.ReadString('\n')
		if err != nil {
			return "", err
		}
		out += answer
	}
	w.Close()
	rest, err := io.ReadAll(r)
	return fmt.Sprintf("%s%s%s %s", out, rest, res.Proto, res.Trailer.Get("Grpc-Status")), err
}

// talkTo says one line, after a greeting if there is one, and ends its half of the connection.
func talkTo(addr string, greeted bool) (string, error) {
	c, err := net.DialTimeout("tcp", addr, limit)
	if err != nil {
		return "", err
	}
	defer c.Close()
	r, greeting := bufio.NewReader(c), ""
	if greeted {
		if greeting, err = r.ReadString('\n'); err != nil {
			return "", err
		}
	}
	fmt.Fprintln(c, "over")
	_ = c.(*net.TCPConn).CloseWrite()
	rest, err := io.ReadAll(r)
	return greeting + string(rest), err
}

// TestFrontPassesOtherProtocols: clients of what is no HTTP/1 get the same from an app that is behind
// --front, and that knows nothing of it, as without; also of the generation after.
func TestFrontPassesOtherProtocols(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"TLS":     "%s HTTP/2.0 true from the app",
		"GRPC":    "%[1]s one\n%[1]s two\nHTTP/2.0 0",
		"GREETS":  "%s ready\nover\n",
		"LISTENS": "%s over\n",
	}
	for name, flags := range map[string][]string{"without": nil, "behind": {"--front"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addrs, env := map[string]string{}, []string(nil)
			for protocol := range talks {
				port := freePort(t)
				addrs[protocol], env = "127.0.0.1:"+port, append(env, protocol+"="+port)
			}
			dir := project(t, map[string]string{"main.go": polyglot})
			d := run(t, dir, env, flags...)
			speak := func(version string) {
				for protocol, talk := range talks {
					want, got := fmt.Sprintf(want[protocol], version), ""
					if !poll(limit, func() bool {
						said, err := talk(addrs[protocol])
						got = fmt.Sprint(said, err)
						return err == nil && said == want
					}) {
						t.Errorf("%s: %q, want %q\n%s", protocol, got, want, d.log())
					}
				}
			}
			speak("v0")
			mark := d.mark()
			edit(t, filepath.Join(dir, "main.go"), `"v0"`, `"v1"`)
			d.wait(mark, "instance ready", nil)
			speak("v1")
			if n := d.count(0, "front"); n != len(flags)*len(talks) {
				t.Errorf("devguard answers at %d addresses\n%s", n, d.log())
			}
			d.stop()
		})
	}
}
