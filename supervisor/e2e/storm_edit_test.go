package e2e_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// edit does one thing to the tree.
func (s *storm) edit() {
	s.t.Helper()
	switch n := s.r.IntN(20); {
	case n < 11:
		s.become(s.changed())
	case n < 14:
		s.disturb()
	case n < 17:
		s.damage()
	default:
		s.branch()
	}
}

// value makes up a version that was never there.
func (s *storm) value() string {
	s.made++
	return fmt.Sprintf("v%d", s.made)
}

// anyPkg picks a package.
func (s *storm) anyPkg(w world) string { return pick(s, w.names()) }

func pick[T any](s *storm, from []T) T { return from[s.r.IntN(len(from))] }

// changed is the world after one step of somebody's work.
func (s *storm) changed() world {
	w := s.world.clone()
	name := s.anyPkg(w)
	p := w.pkgs[name]
	switch s.r.IntN(14) {
	case 0, 1, 2:
		p.v = s.value()
	case 3:
		p.helper = s.toggled(p.helper)
	case 4, 5:
		p.embed = s.toggled(p.embed)
	case 6:
		p.tag = s.toggled(p.tag)
	case 7:
		s.addPkg(w)
	case 8:
		if len(w.pkgs) > 3 {
			delete(w.pkgs, name)
			return w
		}
	case 9:
		return s.renamed(w, name)
	case 10:
		w.libV[w.lib] = s.value()
	case 11:
		w.lib = 1 - w.lib
	case 12:
		w.page = s.value()
	case 13:
		w.note = s.value()
	}
	w.pkgs[name] = p
	return w
}

// toggled is a new value, or none.
func (s *storm) toggled(old string) string {
	if old != "" && s.r.IntN(2) == 0 {
		return ""
	}
	return s.value()
}

// addPkg adds a package, perhaps some directories deep or behind a link.
func (s *storm) addPkg(w world) {
	name := fmt.Sprintf("n%d", s.r.IntN(5))
	if s.r.IntN(2) == 0 {
		name = "sub/" + fmt.Sprintf("m%d/", s.r.IntN(2)) + name
	}
	if _, ok := w.pkgs[name]; !ok {
		w.pkgs[name] = pkg{v: s.value(), linked: !strings.Contains(name, "/") && s.r.IntN(4) == 0, embed: s.toggled("x")}
	}
}

// renamed moves the directory of a package in one go, as an IDE does; the
// edit of the import follows.
func (s *storm) renamed(w world, name string) world {
	to := fmt.Sprintf("r%d", s.r.IntN(4))
	p := w.pkgs[name]
	if _, ok := w.pkgs[to]; ok || p.linked || name == "a" { // "a" has another one in it
		return w
	}
	from, dir := "app/pkg/"+name, "app/pkg/"+to
	os.RemoveAll(s.path(dir))
	if err := os.Rename(s.path(from), s.path(dir)); err != nil {
		return w // it was deleted before
	}
	s.say("mv %s %s", from, dir)
	for f, text := range maps.Clone(s.files) {
		if rest, ok := strings.CutPrefix(f, from+"/"); ok {
			delete(s.files, f)
			s.files[dir+"/"+rest] = text
		}
	}
	for f := range s.dirty {
		if rest, ok := strings.CutPrefix(f, from+"/"); ok {
			s.damaged(dir + "/" + rest)
		}
	}
	delete(w.pkgs, name)
	w.pkgs[to] = p
	return w
}

// become makes the tree that of w, file by file, in any order.
func (s *storm) become(w world) {
	s.t.Helper()
	s.world = w
	want := w.render()
	var names []string
	for name := range s.files {
		if _, ok := want[name]; !ok {
			names = append(names, name)
		}
	}
	for name, text := range want {
		if s.files[name] != text {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	s.r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	slices.SortStableFunc(names, func(a, b string) int { return s.order(a, want) - s.order(b, want) })
	for i, name := range names {
		if i > 0 && s.r.IntN(4) == 0 {
			s.pause()
		}
		text, ok := want[name]
		s.put(name, text, ok)
		delete(s.dirty, name)
	}
	s.files = want
}

// order has links removed before anything is written in their place.
func (s *storm) order(name string, want map[string]string) int {
	if _, ok := want[name]; !ok && strings.HasPrefix(s.files[name], linkTo) {
		return 0
	}
	return 1
}

// put saves one file in some editor's way, or removes it.
func (s *storm) put(name, text string, there bool) {
	s.t.Helper()
	at := s.path(name)
	if !there {
		s.say("rm %s", name)
		os.Remove(at)
		if s.r.IntN(2) == 0 {
			s.tidy(filepath.Dir(at))
		}
		return
	}
	if info, err := os.Lstat(at); err == nil && (info.IsDir() || info.Mode()&fs.ModeSymlink != 0) {
		s.must(os.RemoveAll(at))
	}
	s.must(os.MkdirAll(filepath.Dir(at), 0o755))
	if target, ok := strings.CutPrefix(text, linkTo); ok {
		s.say("ln -s %s %s", target, name)
		s.must(os.Symlink(target, at))
		return
	}
	save := pick(s, saves)
	s.say("%s %s (%d bytes)", save.name, name, len(text))
	s.must(save.do(at, []byte(text)))
}

func (s *storm) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("BUG in this test: %v\n%s", err, strings.Join(s.story, "\n"))
	}
}

// tidy removes directories that have become empty.
func (s *storm) tidy(dir string) {
	for dir != s.app() && dir != s.base && os.Remove(dir) == nil {
		s.say("rmdir %s", dir)
		dir = filepath.Dir(dir)
	}
}

// regular returns the files of the tree that are no links, and of them those
// that do not lie behind one.
func (s *storm) regular() []string {
	var names []string
	for name, text := range s.files {
		if _, err := os.Lstat(s.path(name)); err == nil && !strings.HasPrefix(text, linkTo) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// disturb does something that asks for nothing.
func (s *storm) disturb() {
	names := s.regular()
	name := pick(s, names)
	at := s.path(name)
	data, err := os.ReadFile(at)
	s.must(err)
	switch kind := s.r.IntN(7); kind {
	case 0:
		s.say("touch %s", name)
		s.must(os.Chtimes(at, time.Now(), time.Now()))
	case 1:
		s.say("chmod %s", name)
		s.must(os.Chmod(at, 0o600|fs.FileMode(s.r.IntN(2)*0o44)))
	case 2:
		save := pick(s, saves)
		s.say("identical %s %s", save.name, name)
		s.must(save.do(at, data))
	case 3:
		s.say("test file beside %s", name)
		clause := "package p\n"
		if !strings.Contains(name, "/pkg/") && !strings.HasPrefix(name, "shared/") {
			clause = "package " + strings.TrimRight(strings.Replace(path.Dir(name), "app", "main", 1), "01") + "\n"
		}
		s.must(os.WriteFile(filepath.Join(filepath.Dir(at), "x_test.go"), []byte(clause+"// "+s.value()), 0o644))
	case 4:
		s.say("scratch beside %s", name)
		s.must(os.WriteFile(filepath.Join(filepath.Dir(at), ".scratch.swp"), []byte(s.value()), 0o644))
	case 5:
		s.say("stash and pop")
		if out := s.git("stash", "-u"); strings.HasPrefix(out, "Saved") {
			s.pause()
			s.git("stash", "pop")
		}
	case 6:
		s.say("50 files in a new directory")
		dir := s.path("app/junk/" + s.value())
		s.must(os.MkdirAll(dir, 0o755))
		for i := range 50 {
			s.must(os.WriteFile(filepath.Join(dir, fmt.Sprint(i, ".txt")), nil, 0o644))
		}
	}
}

func (s *storm) damaged(name string) {
	if s.dirty == nil {
		s.dirty = map[string]bool{}
	}
	s.dirty[name] = true
}

// damage breaks the tree; repair puts it right at the end of the storm.
func (s *storm) damage() {
	name := pick(s, s.regular())
	at := s.path(name)
	switch s.r.IntN(6) {
	case 0:
		s.say("garbage in %s", name)
		s.must(pick(s, saves).do(at, []byte("garbage "+s.value())))
	case 1:
		s.say("truncate %s", name)
		s.must(os.Truncate(at, 0))
	case 2:
		s.say("rm %s for now", name)
		s.must(os.Remove(at))
	case 3:
		s.away(path.Dir(name))
		return
	case 4:
		s.say("broken test file beside %s", name)
		s.must(os.WriteFile(filepath.Join(filepath.Dir(at), brokenTest), []byte("pack"), 0o644))
		return
	case 5:
		s.say("mv %s away for now", name)
		s.must(os.Rename(at, at+".away"))
	}
	s.damaged(name)
}

// away moves a directory away and back, or deletes it until the repair.
func (s *storm) away(dir string) {
	if dir == "app" {
		dir = "app/pkg"
	}
	at := s.path(dir)
	if s.r.IntN(2) == 0 {
		s.say("mv %s away and back", dir)
		if os.Rename(at, at+".away") == nil {
			s.pause()
			s.must(os.Rename(at+".away", at))
		}
		return
	}
	s.say("rm -r %s for now", dir)
	s.must(os.RemoveAll(at))
	for name := range s.files {
		if strings.HasPrefix(name, dir+"/") {
			s.damaged(name)
		}
	}
}

// brokenTest is a test file that fails the build of any package.
const brokenTest = "broken_test.go"

// repair writes again what was damaged.
func (s *storm) repair() {
	s.must(filepath.WalkDir(s.base, func(path string, _ fs.DirEntry, err error) error {
		if base := filepath.Base(path); base == ".devguard" || base == ".git" {
			return fs.SkipDir
		}
		if filepath.Base(path) == brokenTest { // wherever it was moved to
			s.say("rm %s", path)
			return os.Remove(path)
		}
		return err
	}))
	for _, name := range slices.Sorted(maps.Keys(s.dirty)) {
		if text, ok := s.files[name]; ok {
			s.put(name, text, true)
			if s.r.IntN(4) == 0 {
				s.pause()
			}
		}
	}
	s.dirty = nil
}

// branch is git's turn: keep this state, or go to one that was kept.
func (s *storm) branch() {
	if s.r.IntN(2) == 0 {
		s.repair()
		s.commit()
		return
	}
	k := pick(s, s.kept)
	s.say("git checkout %s", k.commit)
	s.git("checkout", "-q", "-f", k.commit)
	s.git("clean", "-fdq")
	s.world, s.files, s.dirty = k.world, k.world.render(), nil
}

// commit keeps this state.
func (s *storm) commit() {
	s.git("add", "-A", ".")
	s.git("commit", "-q", "--allow-empty", "-m", s.value())
	s.kept = append(s.kept, kept{s.git("rev-parse", "HEAD"), s.world.clone()})
	s.say("git commit %s", s.kept[len(s.kept)-1].commit)
}
