package dbguard_test

import (
	"context"
	"io"
	"os"
	"testing"

	"github.com/devguard/devguard/dbguard"
	"github.com/devguard/devguard/dbguard/pgtest"
)

// TestExamples runs the examples that need a server, and holds what they say they
// print.
func TestExamples(t *testing.T) {
	s := pgtest.Start(t)
	s.Exec(t, `create table book (id int primary key, title text, stock int, read_at timestamptz);
		create table sale (book int);
		insert into book values (1, 'Emma', 3), (2, 'Persuasion', 1)`)
	t.Setenv("DATABASE_URL", s.URL(pgtest.Conn{}))
	var err error
	if pool, err = dbguard.Open(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		pool.Close()
		pool = nil
	})
	for _, c := range []struct {
		name    string
		example func()
		want    string
	}{
		{"whole", Example, "Emma <nil>\n"},
		{"Open", ExampleOpen, "4\n"},
		{"Retry", ExampleRetry, "<nil>\n"},
		{"RetryValue", ExampleRetryValue, "[Emma Persuasion] <nil>\n"},
		{"RetryTx", ExampleRetryTx, "sold, 2 left\n"},
		{"Reset", ExampleReset, "every connection is new, or will be when it comes back\n"},
		{"ClearPreparedStatements", ExampleClearPreparedStatements, "true <nil>\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := printed(t, c.example); got != c.want {
				t.Errorf("it prints %q, want %q", got, c.want)
			}
		})
	}
}

// printed returns what f writes to standard output, which has to fit into a pipe.
func printed(t *testing.T, f func()) string {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = w
	defer func() { os.Stdout = stdout }()
	f()
	w.Close()
	out, err := io.ReadAll(r)
	if err != nil {
		t.Error(err)
	}
	r.Close()
	return string(out)
}
