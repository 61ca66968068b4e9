package main

import (
	"bytes"
	"context"
	"errors"
	"go/format"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"example.com/bench/run"
)

func TestSummarize(t *testing.T) {
	for _, c := range []struct {
		xs   []float64
		want quartiles
	}{
		{nil, quartiles{}},
		{[]float64{7}, quartiles{7, 7, 7}},
		{[]float64{4, 1, 3, 2, 5}, quartiles{2, 3, 4}},
		{[]float64{1, 2, 3, 4}, quartiles{1.75, 2.5, 3.25}},
	} {
		if got := summarize(c.xs); got != c.want {
			t.Errorf("summarize(%v) = %v, want %v", c.xs, got, c.want)
		}
	}
}

func TestRatiosArePairedByRound(t *testing.T) {
	ms := func(n int) sample { return sample{served: true, latency: time.Duration(n) * time.Millisecond} }
	got := ratios([]sample{ms(100), {}, ms(300)}, []sample{ms(200), ms(10), ms(100)})
	if want := []float64{0.5, 3}; !slices.Equal(got, want) {
		t.Errorf("ratios %v, want %v", got, want)
	}
}

// TestEditsOfServing: each edit of what is added to a program changes what it is to change.
func TestEditsOfServing(t *testing.T) {
	dir := t.TempDir()
	s := serving{name: "x", pkg: ".", leaf: "leaf", leafPath: "example.com/x/leaf", copy: func(context.Context, string, string, []string) (string, error) {
		err := os.Mkdir(filepath.Join(dir, "leaf"), 0o755)
		return dir, errors.Join(err, os.WriteFile(filepath.Join(dir, "leaf", "a.go"), []byte("// Package leaf\npackage leaf\n"), 0o644))
	}}.subject("x")
	if _, err := s.copy(t.Context(), "", dir, nil); err != nil {
		t.Fatal(err)
	}
	for round, value := range []string{"r001", "r002", "r003"} {
		for _, e := range s.edits {
			if _, err := e.save(dir, value); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(filepath.Join(dir, e.file))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := format.Source(text); err != nil {
				t.Errorf("%s: %v", e.name, err)
			}
			lines, imports := bytes.HasPrefix(text, []byte("// A line.")), bytes.Contains(text, []byte("import _"))
			if e.name == "lines shift" && !lines || e.name == "import added or removed" && imports != (round%2 == 0) {
				t.Errorf("%s in round %d: %s", e.name, round, text)
			}
		}
	}
}

func TestEditsFitTheShop(t *testing.T) {
	dir := t.TempDir()
	if err := run.CopyShop("../..", dir); err != nil {
		t.Fatal(err)
	}
	shop := filepath.Join(dir, run.ShopDir)
	for _, e := range edits {
		for _, value := range []string{"r001", "r002"} {
			want, err := e.save(shop, value)
			if err != nil {
				t.Error(err)
				continue
			}
			b, err := os.ReadFile(filepath.Join(shop, e.file))
			if err != nil || want != e.word+"-"+value || !bytes.Contains(b, []byte(want)) {
				t.Errorf("%s: no %q after the edit, error %v", e.file, want, err)
			}
		}
	}
}

func TestEdited(t *testing.T) {
	all := subject{edits: []edit{{name: "a"}, {name: "b"}, {name: "c"}}}
	for _, c := range []struct {
		chosen, want []string
	}{
		{nil, []string{"a", "b", "c"}},
		{[]string{"c"}, []string{"a", "c"}},
	} {
		var got []string
		for _, e := range (options{subject: all, edits: c.chosen}).edited().edits {
			got = append(got, e.name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: %q", c.chosen, got)
		}
	}
}
