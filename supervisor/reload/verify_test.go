package reload

import (
	"slices"
	"testing"
	"time"

	"github.com/devguard/devguard/supervisor/change"
)

func TestVerifiesOnceQuiet(t *testing.T) {
	w := fastServed(t)
	w.editSource(2)
	b := w.build()
	if !b.Fast {
		t.Error("the build may not be fast")
	}
	w.answer(b, false)
	w.settleInstance()
	w.pass(quietTime - 10*time.Millisecond)
	if _, early := w.inFlight("verify"); early {
		t.Fatal("it is not quiet yet")
	}
	w.pass(20 * time.Millisecond)
	v, ok := w.inFlight("verify")
	if !ok || v.(Verify).Binary != digest(2) {
		t.Fatalf("got %+v", v)
	}
	w.answer(v, false)
	w.pass(time.Hour)
	if _, again := w.inFlight("verify"); again {
		t.Error("it is verified already")
	}
}

// A build waits until the one that verifies is gone, and no longer.
func TestSaveCancelsVerification(t *testing.T) {
	w, v := verifies(t)
	w.editSource(3)
	if !w.canceled[idOf(v)] {
		t.Fatal("it goes on")
	}
	w.pass(time.Second)
	if _, two := w.inFlight("build"); two {
		t.Fatal("two builds")
	}
	w.answer(v, false)
	if _, ok := w.inFlight("build"); !ok {
		t.Error("the build goes on waiting")
	}
	w.calm()
	w.end()
}

// What only the running app reads asks for a restart, which waits for no build.
func TestTemplateIsNotHeldUpByVerification(t *testing.T) {
	w, _ := verifies(t)
	w.write("/a.html", 5)
	w.pass(time.Second)
	if _, ok := w.inFlight("check"); !ok {
		t.Error("the restart waits")
	}
}

func TestAnotherProgramIsServedAndNothingIsFast(t *testing.T) {
	w, v := verifies(t)
	w.differs = true
	w.answer(v, false)
	w.calm()
	if last := w.starts[len(w.starts)-1]; last.Binary != "real" || w.st.inst.made.binary != digest(7) || w.said(LogBuildDiffers) != 1 {
		t.Errorf("started %+v", last)
	}
	w.editSource(3)
	if w.build().Fast {
		t.Error("builds go on to be fast")
	}
	w.calm()
	w.pass(time.Hour)
	if _, again := w.inFlight("verify"); again {
		t.Error("nothing is fast, and it is verified")
	}
	w.end()
}

// What differs is served, and nothing is fast any more, also when the programs could not be kept.
func TestAnotherProgramThatCannotBeKeptIsServed(t *testing.T) {
	w, v := verifies(t)
	w.differs = true
	w.answer(v, true)
	w.calm()
	if last := w.starts[len(w.starts)-1]; last.Binary != "real" || w.said(LogBuildDiffers) != 1 || w.said(LogWarning) != 1 {
		t.Errorf("started %+v", last)
	}
	if n := w.st.Snapshot().Builds.Differed; n != 1 {
		t.Errorf("%d differ", n)
	}
	w.editSource(3)
	if w.build().Fast {
		t.Error("builds go on to be fast")
	}
}

// TestUnbuildableIsBuiltByTheGoCommand: what a fast build has made, and the go command cannot make, is
// built by that in the ordinary way, which shows what is wrong.
func TestUnbuildableIsBuiltByTheGoCommand(t *testing.T) {
	w, v := verifies(t)
	w.answer(v, true)
	b := w.build()
	if b.Fast {
		t.Error("it is built fast once more")
	}
	w.answer(b, true)
	w.calm()
	if w.said(LogBuildFailed) != 1 || !w.st.Snapshot().failed("build") || len(w.starts) != 2 {
		t.Errorf("the mistake is not shown, or what runs is replaced: %+v", w.st.Snapshot())
	}
	w.editSource(3)
	if b = w.build(); b.Fast {
		t.Error("the repair is built fast, and the go command has not made it")
	}
	w.answer(b, false)
	w.calm()
	w.editSource(4)
	if !w.build().Fast {
		t.Error("it stays with the go command")
	}
	w.calm()
	w.end()
}

// TestUnbuildableOnceHeals: what has failed by a full disk, say, has failed by nothing that is shown for
// long.
func TestUnbuildableOnceHeals(t *testing.T) {
	w, v := verifies(t)
	w.answer(v, true)
	w.answer(w.build(), false)
	w.calm()
	w.pass(time.Hour)
	if _, again := w.inFlight("verify"); again || len(w.starts) != 2 || len(w.st.Snapshot().Failures) > 0 {
		t.Errorf("%d starts, %+v", len(w.starts), w.st.Snapshot())
	}
	if got, want := w.st.Snapshot().Builds.ByGo, []Refused{{notBuiltAgain.Kind, 1}}; !slices.Equal(got, want) {
		t.Errorf("built by the go command: %+v", got)
	}
	w.editSource(3)
	if !w.build().Fast {
		t.Error("it stays with the go command")
	}
}

// TestVerificationsThatFailEndFastBuilds: where there is no memory or disk for a verification, nobody wants one
// after each save, and another build beside it.
func TestVerificationsThatFailEndFastBuilds(t *testing.T) {
	w, v := verifies(t)
	for n := range uint64(maxFailed) {
		w.answer(v, true)
		w.answer(w.build(), false)
		w.calm()
		w.editSource(3 + n)
		b := w.build()
		if last := n+1 == maxFailed; b.Fast == last {
			t.Fatalf("after %d that failed: %+v", n+1, b)
		}
		w.answer(b, false)
		w.settleInstance()
		w.pass(quietTime)
		v, _ = w.inFlight("verify")
	}
	if v != nil || w.said(LogWarning) != maxFailed+1 {
		t.Errorf("verified: %v; %d warnings", v, w.said(LogWarning))
	}
	if got := w.st.Snapshot().Builds.ByGo; !slices.Contains(got, Refused{neverVerified.Kind, 1}) {
		t.Errorf("built by the go command: %+v", got)
	}
	w.end()
}

// TestSuccessForgetsVerificationsThatFailed: a full disk is not full for ever.
func TestSuccessForgetsVerificationsThatFailed(t *testing.T) {
	w, v := verifies(t)
	for n := range uint64(2 * maxFailed) {
		w.answer(v, true)
		w.answer(w.build(), false)
		w.calm()
		for i := range uint64(2) {
			w.editSource(10 + 2*n + i)
			b := w.build()
			if !b.Fast {
				t.Fatal("it stays with the go command")
			}
			w.answer(b, false)
			w.settleInstance()
			w.pass(quietTime)
			if v, _ = w.inFlight("verify"); i == 0 {
				w.answer(v, false)
			}
		}
	}
}

// TestRepairIsNoVerificationThatFailed: what a fast build takes and the go command does not is wrong in the tree.
func TestRepairIsNoVerificationThatFailed(t *testing.T) {
	w, v := verifies(t)
	n := uint64(10)
	for range 2 * maxFailed {
		w.answer(v, true)
		w.answer(w.build(), true)
		w.calm()
		for range 2 { // repaired by the go command; and an edit
			w.editSource(n)
			n++
			w.answer(w.build(), false)
			w.settleInstance()
		}
		w.pass(quietTime)
		if v, _ = w.inFlight("verify"); v == nil {
			t.Fatal("nothing is fast any more")
		}
	}
}

// TestOverdueIsNotPutOff: until it is verified nothing is fast.
func TestOverdueIsNotPutOff(t *testing.T) {
	w, v := verifies(t)
	for n := range uint64(maxUnverified + 1) {
		w.editSource(3 + n)
		if v != nil {
			w.answer(v, false) // cancelled
		}
		w.answer(w.build(), false)
		w.settleInstance()
		if n < maxDoubling {
			w.pass(quietTime << (n + 1))
		}
		v, _ = w.inFlight("verify")
	}
	w.pass(quietTime)
	if _, ok := w.inFlight("verify"); !ok {
		t.Error("it is put off")
	}
}

// TestVerificationIsPutOffLonger: whoever saves all the time has no use for builds that are cancelled.
func TestVerificationIsPutOffLonger(t *testing.T) {
	w, v := verifies(t)
	n := uint64(3)
	for _, want := range []time.Duration{2 * quietTime, 4 * quietTime, 8 * quietTime, 8 * quietTime} {
		w.editSource(n)
		n++
		w.answer(v, false) // cancelled
		w.answer(w.build(), false)
		w.settleInstance()
		w.pass(want - quietTime/2)
		if _, early := w.inFlight("verify"); early {
			t.Fatalf("before %s of quiet", want)
		}
		w.pass(quietTime / 2)
		var ok bool
		if v, ok = w.inFlight("verify"); !ok {
			t.Fatalf("not after %s", want)
		}
	}
	w.answer(v, false)
	w.editSource(n)
	w.answer(w.build(), false)
	w.settleInstance()
	w.pass(quietTime)
	if _, ok := w.inFlight("verify"); !ok {
		t.Error("one that was not cancelled changes nothing")
	}
}

// TestFastBuildSaysNothingOfTheNext: how long newer changes may cancel a build depends on what the go command takes.
func TestFastBuildSaysNothingOfTheNext(t *testing.T) {
	w := fastServed(t)
	w.lastBuildTook(30 * time.Second)
	w.editSource(2)
	w.answer(w.build(), false)
	w.calm()
	w.editSource(3)
	b := w.build()
	w.pass(40 * time.Second)
	w.editSource(4)
	if !w.canceled[b.ID] {
		t.Error("a build of half a minute goes on after a newer save")
	}
}

// What an answer brings is of the settings and the tree that it was made with.
func TestVerificationOfBeforeBringsNothing(t *testing.T) {
	for name, edit := range map[string]func(*world){
		"settings": func(w *world) { w.edit("/devguard.toml", func(s *change.Snapshot) { s.Config = digest(3) }) },
		"a save":   func(w *world) { w.editSource(3) },
		"a save of which the event is on its way": func(w *world) { w.tree.Seq++ },
	} {
		w, v := verifies(t)
		edit(w)
		delete(w.canceled, idOf(v)) // it has looked for the last time, and ends as if nothing were
		w.answer(v, false)
		w.calm()
		if slices.Contains(w.adopted, idOf(v)) {
			t.Errorf("%s: it is taken over", name)
		}
	}
}

// TestFastBuildsAreVerifiedInTheEnd: whoever saves all the time is served by the go command at last, until
// one build was verified.
func TestFastBuildsAreVerifiedInTheEnd(t *testing.T) {
	w := fastServed(t)
	n := uint64(2)
	save := func() Build {
		w.editSource(n)
		n++
		b := w.build()
		w.answer(b, false)
		w.settleInstance()
		return b
	}
	for i := range maxUnverified {
		if !save().Fast {
			t.Fatalf("build %d is not fast", i+1)
		}
	}
	for range 3 {
		if save().Fast {
			t.Fatal("it goes on without a verification")
		}
	}
	if got, want := w.st.Snapshot().Builds.ByGo, []Refused{{overdue.Kind, 3}}; !slices.Equal(got, want) {
		t.Errorf("built by the go command: %+v", got)
	}
	w.calm()
	if !save().Fast {
		t.Error("it stays with the go command")
	}
	w.end()
}

// TestFastBuildsAreVerifiedInTime: a verification may take longer than the pauses between saves.
func TestFastBuildsAreVerifiedInTime(t *testing.T) {
	w, v := verifies(t)
	w.pass(maxUnverifiedTime)
	w.editSource(3)
	w.answer(v, false)
	if w.build().Fast {
		t.Error("it goes on without a verification")
	}
}

// What no build reads does not keep a verification from its end, nor from its beginning.
func TestVerificationGoesOnBesideTemplates(t *testing.T) {
	w, v := verifies(t)
	w.write("/a.html", 5)
	w.pass(time.Second)
	if w.canceled[idOf(v)] {
		t.Error("it is cancelled for a template")
	}
	w.answer(v, false)
	if w.said(LogBuildVerified) != 2 {
		t.Error("its answer does not count")
	}
	w.calm()

	w.editSource(6)
	w.answer(w.build(), false)
	w.settleInstance()
	w.pass(quietTime / 2)
	w.edit("/styles.css", func(s *change.Snapshot) { s.Styles = digest(2) })
	w.pass(quietTime / 2)
	if _, ok := w.inFlight("verify"); !ok {
		t.Error("a stylesheet puts it off")
	}
}

// Of a tree that has changed meanwhile the comparison says nothing.
func TestVerificationOfAnOlderTreeSaysNothing(t *testing.T) {
	w, v := verifies(t)
	w.differs = true
	w.tree.Seq++ // its event is still on the way
	w.answer(v, false)
	w.differs = false
	w.calm()
	if w.said(LogBuildDiffers) != 0 || len(w.starts) != 2 {
		t.Errorf("%d starts", len(w.starts))
	}
}

// A program that no build can make fast is asked for once, and again after another import.
func TestNothingIsVerifiedWhereNothingIsFast(t *testing.T) {
	w := newWorld(t, Options{Fast: true})
	w.lasting, w.refused = true, "nothing is recorded"
	w.calm()
	w.lasting, w.refused = false, ""
	w.editSource(3)
	if w.build().Fast {
		t.Error("a fast build is tried")
	}
	w.calm()
	if n := w.st.Snapshot().Builds.Verified; n != 0 || w.said(LogBuildByGo) != 1 || w.said(LogBuildVerified) != 0 {
		t.Errorf("verified %d times; %d reasons", n, w.said(LogBuildByGo))
	}
	w.edit("/src/a.go", func(s *change.Snapshot) { s.Shape, s.Source = digest(4), digest(4); s.Seq++ })
	w.calm()
	w.editSource(5)
	if !w.build().Fast {
		t.Error("no fast build is tried")
	}
}

// TestSettingsThatRefuseAllAreNotVerified: they are known before a build is made for it, also those that are
// as before when an import has changed.
func TestSettingsThatRefuseAllAreNotVerified(t *testing.T) {
	w := newWorld(t, Options{Fast: true})
	w.settings = true
	w.calm()
	w.edit("/src/a.go", func(s *change.Snapshot) { s.Shape, s.Source = digest(4), digest(4); s.Seq++ })
	w.calm()
	w.editSource(5)
	if w.build().Fast {
		t.Error("a fast build is tried")
	}
	w.calm()
	if n := w.said(LogBuildVerified); n != 0 {
		t.Errorf("verified %d times", n)
	}
}

// Flags of before may be what has left all builds to the go command.
func TestFastBuildsAreTriedAfterAnotherConfiguration(t *testing.T) {
	w := newWorld(t, Options{Fast: true})
	w.lasting = true
	w.calm()
	w.lasting = false
	w.edit("/devguard.toml", func(s *change.Snapshot) { s.Config = digest(3) })
	w.calm()
	w.editSource(4)
	if !w.build().Fast {
		t.Error("no fast build is tried")
	}
}

func TestNoVerificationOfABrokenBuild(t *testing.T) {
	w := fastServed(t)
	w.editSource(2)
	w.answer(w.build(), true)
	w.pass(time.Hour)
	if _, ok := w.inFlight("verify"); ok {
		t.Error("there is nothing to compare")
	}
}

func TestFastIsSwitchedOffAndOn(t *testing.T) {
	w := fastServed(t)
	for _, on := range []bool{false, true} {
		w.st.opts.Fast = on // what the next reading of the configuration brings
		w.edit("/devguard.toml", func(s *change.Snapshot) { s.Config = digest(s.Version) })
		w.calm()
		w.editSource(w.tree.Version + 10)
		b := w.build()
		if b.Fast != on {
			t.Errorf("fast: %t, want %t", b.Fast, on)
		}
		w.answer(b, false)
		w.settleInstance()
		w.pass(quietTime)
		if _, verifies := w.inFlight("verify"); verifies != on {
			t.Errorf("verified: %t, want %t", verifies, on)
		}
		w.calm()
	}
}

func fastServed(t *testing.T) *world { return served(t, Options{Fast: true}) }

// verifies returns a world that verifies its second build.
func verifies(t *testing.T) (*world, Effect) {
	t.Helper()
	w := fastServed(t)
	w.editSource(2)
	w.answer(w.build(), false)
	w.settleInstance()
	w.pass(quietTime)
	v, ok := w.inFlight("verify")
	if !ok {
		t.Fatal("nothing is verified")
	}
	return w, v
}

// build returns the build that is in flight once the burst is over.
func (w *world) build() Build {
	w.t.Helper()
	w.pass(time.Second)
	b, ok := w.inFlight("build")
	if !ok {
		w.t.Fatal("nothing is built")
	}
	return b.(Build)
}

// settleInstance answers what the change of the generation asks for, and lets no time pass.
func (w *world) settleInstance() {
	w.t.Helper()
	for _, kind := range []string{"check", "stop", "await", "drain", "start", "ready", "beside"} {
		if e, ok := w.inFlight(kind); ok {
			w.answer(e, false)
		}
	}
}
