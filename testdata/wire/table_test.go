package main

import (
	"errors"
	"io"
	"math"
	"slices"
	"strings"
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
	got := ratios([]time.Duration{100, 10, 300, 1}, []time.Duration{200, 10, 100})
	if want := []float64{0.5, 1, 3}; !slices.Equal(got, want) {
		t.Errorf("ratios %v, want %v", got, want)
	}
}

func TestThroughputIsTheInverseOfTime(t *testing.T) {
	m := measure{rare: true}
	if got, want := m.ratio([]time.Duration{2, 4, 8}, []time.Duration{1, 1, 1}), (quartiles{1. / 6, 1. / 4, 1. / 3}); math.Abs(got.q1-want.q1)+math.Abs(got.median-want.median)+math.Abs(got.q3-want.q3) > 1e-9 {
		t.Errorf("%v, want %v", got, want)
	}
}

func sampled(name, measure string, samples ...time.Duration) *target {
	return &target{way: way{name: name}, samples: map[string][]time.Duration{measure: samples}}
}

func TestJudge(t *testing.T) {
	most := expectation{says: "it", measure: "one-row", target: "session", against: direct, most: 1.5}
	least := expectation{says: "it", measure: "copy-in", target: "session", against: direct, least: 0.8}
	for _, c := range []struct {
		name   string
		e      expectation
		sample time.Duration // against 100
		want   string
	}{
		{"fast enough", most, 150, "it: 1.50 [1.50-1.50], expected at most 1.50: met"},
		{"too slow", most, 151, "it: 1.51 [1.51-1.51], expected at most 1.50: NOT met"},
		{"enough throughput", least, 125, "it: 0.80 [0.80-0.80], expected at least 0.80: met"},
		{"too little throughput", least, 160, "it: 0.62 [0.62-0.62], expected at least 0.80: NOT met"},
	} {
		b := &bench{targets: []*target{sampled(direct, c.e.measure, 100), sampled("session", c.e.measure, c.sample)}}
		if got := b.judge(c.e); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if got := (&bench{}).judge(most); got != "" {
		t.Errorf("what was not measured is %q", got)
	}
}

func TestExpectationsFit(t *testing.T) {
	for _, e := range expectations {
		o := options{rounds: 1, only: []string{e.target, e.against}, measure: []string{e.measure}}
		if err := o.check(nil); err != nil {
			t.Errorf("%s: %v", e.says, err)
		}
	}
}

func TestOptions(t *testing.T) {
	names := func(o options) string {
		var list []string
		for _, w := range o.ways() {
			list = append(list, w.name)
		}
		return strings.Join(list, " ")
	}
	if got := names(options{}); !strings.HasPrefix(got, direct) || strings.Contains(got, "floor") {
		t.Errorf("by itself: %s", got)
	}
	if got := names(options{only: []string{"floor"}}); got != "direct floor" {
		t.Errorf("-only floor: %s", got)
	}
	if got := (options{measure: []string{login}}).measures(); len(got) != 1 || got[0].name != login {
		t.Errorf("-measure %s: %v", login, got)
	}
	for _, o := range []options{{}, {rounds: 1, only: []string{"none"}}, {rounds: 1, measure: []string{"none"}}} {
		if o.check(nil) == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	if (options{rounds: 1}).check([]string{"x"}) == nil {
		t.Error("an argument is taken")
	}
}

// What is copied has to be as many lines as copyIn expects.
func TestLinesToCopy(t *testing.T) {
	b, err := io.ReadAll(io.LimitReader(&lines{}, 64<<10))
	if n := strings.Count(string(b), "\n"); err != nil || n != 64 || b[len(b)-1] != '\n' {
		t.Errorf("%d lines, error %v", n, err)
	}
}

func TestStageUndoesInReverse(t *testing.T) {
	var order []string
	err := func() (err error) {
		s := &stage{}
		defer s.close(&err)
		s.Cleanup(func() { order = append(order, "first") })
		s.Cleanup(func() { order = append(order, "second"); s.Errorf("late") })
		s.must(errors.New("early"))
		return nil
	}()
	if want := []string{"second", "first"}; !slices.Equal(order, want) {
		t.Errorf("%v", order)
	}
	if err == nil || err.Error() != "early\nlate" {
		t.Errorf("%v", err)
	}
}
