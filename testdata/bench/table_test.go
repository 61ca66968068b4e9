package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
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

func TestEditsFitTheShop(t *testing.T) {
	dir := t.TempDir()
	if err := copyShop("../..", dir); err != nil {
		t.Fatal(err)
	}
	shop := filepath.Join(dir, shopDir)
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
