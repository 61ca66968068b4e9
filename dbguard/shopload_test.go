package dbguard

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// rate is that of the requests to the shop, a second.
const rate = 200

// request is one request to the shop and what came of it.
type request struct {
	kind         string // user, mine, list, create, approve, reject
	method, path string
	body         string
	right        func(body []byte) bool

	model   string // its name, of create; its id, of approve and reject
	status  int
	done    string // of a 503
	problem string // what was wrong with the answer; "": nothing
	ended   time.Time
}

// load sends requests to the shop at a steady rate, whether they are answered or not,
// and remembers what came of each.
type load struct {
	client *http.Client
	url    string
	failed chan string // the first problem

	mu      sync.Mutex
	all     []*request
	pending []int64 // models that nobody has decided on
	reset   map[int]int
}

func newLoad(url string) *load {
	transport := &http.Transport{MaxIdleConnsPerHost: rate}
	return &load{url: url, client: &http.Client{Transport: transport, Timeout: patience},
		failed: make(chan string, 1), reset: map[int]int{}}
}

// run sends until ctx ends, and waits for the answers.
func (l *load) run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	tick := time.NewTicker(time.Second / rate)
	defer tick.Stop()
	began := time.Now()
	for n := 0; ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		// A ticker drops what a busy machine is late for.
		for due := int(time.Since(began).Seconds() * rate); n < due; n++ {
			r := l.next(n)
			wg.Go(func() { l.send(r) })
		}
	}
}

// next is request number n: six in ten read, four write.
func (l *load) next(n int) *request {
	switch {
	case n%50 == 0:
		return read("list", "/api/users", `"email":"grace@example.com"`)
	case n%10 < 3:
		return read("user", "/api/user?email=ada@example.com", `{"id":1,"email":"ada@example.com","name":"Ada",`)
	case n%10 < 6:
		return read("mine", "/api/models/user-models?owner_id=1", `[{"id":1,"owner_id":1,"name":"Analytical Engine","price_cents":125000,"status":"approved",`)
	case n%10 < 8:
		name := "model " + strconv.Itoa(n)
		return &request{kind: "create", method: "POST", path: "/api/models", model: name,
			body:  fmt.Sprintf(`{"owner_id":2,"name":%q,"price_cents":%d}`, name, n),
			right: l.created(name, n)}
	}
	verdict, status := "approve", "approved"
	if n%10 == 8 {
		verdict, status = "reject", "rejected"
	}
	id := l.take()
	if id == 0 {
		return l.next(n - n%10 + 1)
	}
	return &request{kind: verdict, method: "POST", path: fmt.Sprintf("/api/pending-models/%d/%s", id, verdict), model: strconv.FormatInt(id, 10),
		right: func(body []byte) bool {
			return strings.Contains(string(body), fmt.Sprintf(`{"id":%d,"owner_id":2,"name":"model `, id)) && strings.Contains(string(body), `"status":"`+status+`"`)
		}}
}

func read(kind, path, want string) *request {
	return &request{kind: kind, method: "GET", path: path, right: func(body []byte) bool { return strings.Contains(string(body), want) }}
}

// created checks a new model and leaves it to be decided on.
func (l *load) created(name string, price int) func([]byte) bool {
	return func(body []byte) bool {
		var m struct {
			ID         int64
			OwnerID    int64 `json:"owner_id"`
			Name       string
			PriceCents int `json:"price_cents"`
			Status     string
		}
		err := json.Unmarshal(body, &m)
		l.mu.Lock()
		l.pending = append(l.pending, m.ID)
		l.mu.Unlock()
		return err == nil && m.ID > 1 && m.OwnerID == 2 && m.Name == name && m.PriceCents == price && m.Status == "pending"
	}
}

func (l *load) take() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) == 0 {
		return 0
	}
	id := l.pending[0]
	l.pending = l.pending[1:]
	return id
}

// send sends one request and judges its answer.
func (l *load) send(r *request) {
	resp, body, err := l.do(context.Background(), r.method, r.path, r.body)
	switch {
	case err != nil:
		r.problem = err.Error()
	case resp.StatusCode == http.StatusServiceUnavailable:
		r.status = resp.StatusCode
		done, ok := documented(resp, body)
		r.done = done
		if !ok {
			r.problem = "a 503 that is not documented: " + string(body)
		}
	case resp.StatusCode/100 != 2, !r.right(body):
		r.problem = fmt.Sprintf("status %d: %.200s", resp.StatusCode, body)
	default:
		r.status = resp.StatusCode
	}
	r.ended = time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, r)
	if r.problem != "" {
		l.fail(fmt.Sprintf("%s %s: %s", r.method, r.path, r.problem))
	}
}

func (l *load) fail(problem string) {
	select {
	case l.failed <- problem:
	default:
	}
}

func (l *load) do(ctx context.Context, method, path, body string) (*http.Response, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, l.url+path, strings.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	resp, err := l.client.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp, answer, err
}

// resets asks the shop to reset its pool, a second after the last answer, until ctx
// ends.
func (l *load) resets(ctx context.Context) {
	for {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return
		}
		resp, body, err := l.do(context.Background(), "POST", "/api/debug/reset-db", "")
		var answer ResetAnswer
		if err == nil {
			err = json.Unmarshal(body, &answer)
		}
		l.mu.Lock()
		switch {
		case err != nil:
			l.fail("reset: " + err.Error())
		case resp.StatusCode != 200 && resp.StatusCode != 503, answer.Reset != (resp.StatusCode == 200), answer.Reset != (answer.Error == ""):
			l.fail(fmt.Sprintf("reset: status %d: %s", resp.StatusCode, body))
		default:
			l.reset[resp.StatusCode]++
		}
		l.mu.Unlock()
	}
}

// lasts waits while requests are sent; a wrong answer ends the test at once.
func (l *load) lasts(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case problem := <-l.failed:
		t.Fatal(problem)
	case <-time.After(d):
	}
}

// recovers waits until one request of each kind in a row is answered as if nothing had
// been.
func (l *load) recovers(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for n := 0; n < 10; {
		r := l.next(1_000_000 + n)
		l.send(r)
		switch {
		case r.problem != "":
			t.Fatal(r.problem)
		case r.status/100 == 2:
			n++
		case time.Now().After(deadline):
			t.Fatal("the shop answers 503 for ever")
		}
	}
	l.client.CloseIdleConnections()
}

// judge compares what the shop said with what is stored.
func (l *load) judge(t *testing.T, s *pgtest.Server) {
	models := counted(t, s, "select name, count(*) from models where owner_id = 2 group by name")
	decisions := counted(t, s, "select model_id, count(*) from decisions join models m on m.id = model_id and m.status = verdict group by model_id")
	if n := s.Query(t, "select count(*) from decisions")[0][0]; n != strconv.Itoa(len(decisions)) {
		t.Errorf("%s decisions about %d models", n, len(decisions))
	}
	seen := map[string]int{}
	for _, r := range l.all {
		said := fmt.Sprintf("%d%s", r.status, r.done)
		seen[said]++
		stored, wrote := models[r.model], r.kind == "create"
		if r.kind == "approve" || r.kind == "reject" {
			stored, wrote = decisions[r.model], true
		}
		switch {
		case r.problem != "":
			t.Errorf("%s %s: %s", r.method, r.path, r.problem)
		case wrote && (stored > 1 || r.status/100 == 2 && stored != 1 || r.done == "no" && stored != 0):
			t.Errorf("%s %s %s: answered %s, and is stored %d times", r.method, r.path, r.body, said, stored)
		}
	}
	t.Logf("%d requests: %v; resets: %v; the worst time without a good answer: %v", len(l.all), seen, l.reset, l.outage())
	if *campaign && seen["503unknown"] == 0 || seen["201"] == 0 || len(decisions) == 0 || l.reset[200] == 0 || *campaign && l.reset[200] < 3 {
		t.Error("the load does not do what it is for")
	}
}

func counted(t *testing.T, s *pgtest.Server, sql string) map[string]int {
	n := map[string]int{}
	for _, row := range s.Query(t, sql) {
		n[row[0]], _ = strconv.Atoi(row[1])
	}
	return n
}

// outage is the longest time between two good answers.
func (l *load) outage() (worst time.Duration) {
	var last time.Time
	for _, r := range l.all { // in the order of their ends
		if r.status/100 != 2 {
			continue
		}
		if !last.IsZero() {
			worst = max(worst, r.ended.Sub(last))
		}
		last = r.ended
	}
	return worst.Round(time.Millisecond)
}
