package change_test

import (
	"math/rand/v2"
	"testing"

	"github.com/devguard/devguard/supervisor/change"
)

func TestSumDependsOnContentsAlone(t *testing.T) {
	d := func(s string) change.Digest { return change.DigestOf([]byte(s)) }
	var a, b, empty change.Sum
	names := []string{"x", "y", "z"}
	for _, n := range names {
		a.Add(n, d(n))
	}
	rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	b.Add("x", d("old"))
	for _, n := range names {
		b.Add(n, d(n))
	}
	b.Remove("x", d("old"))
	if a != b || a.Digest() != b.Digest() || a.Digest().IsZero() {
		t.Fatal("the order of changes shows in the sum")
	}
	a.Remove("x", d("x"))
	a.Add("x", d("y"))
	if a.Digest() == b.Digest() {
		t.Fatal("other contents, same sum")
	}
	b.Remove("y", d("y"))
	b.Remove("x", d("x"))
	b.Remove("z", d("z"))
	if b != empty || !b.Digest().IsZero() {
		t.Fatal("nothing is not zero")
	}
	var swapped, straight change.Sum
	straight.Add("a", d("1"))
	straight.Add("b", d("2"))
	swapped.Add("a", d("2"))
	swapped.Add("b", d("1"))
	if swapped.Digest() == straight.Digest() {
		t.Fatal("exchanged contents, same sum")
	}
}
