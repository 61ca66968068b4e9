//go:build linux

package statedir_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/devguard/devguard/supervisor/statedir"
)

// What is written down is found while the devguard runs, also after its folder was removed, and not
// once it is gone.
func TestFind(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if found := statedir.Find(dir); len(found) > 0 {
		t.Errorf("found %v, which cannot be asked yet", found)
	}
	if err := s.Publish("http://127.0.0.1:1", "secret"); err != nil {
		t.Fatal(err)
	}
	want := statedir.Find(dir)
	if len(want) != 1 || want[0].Name != "app" || want[0].PID != os.Getpid() || want[0].URL != "http://127.0.0.1:1" || want[0].Token != "secret" {
		t.Fatalf("found %+v", want)
	}
	control := filepath.Join(s.Path(), "control.json")
	if st, err := os.Stat(control); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	if err := os.RemoveAll(filepath.Dir(s.Path())); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Mend(); err != nil {
		t.Fatal(err)
	}
	if found := statedir.Find(dir); !slices.Equal(found, want) {
		t.Errorf("after the removal: found %v, want %v", found, want)
	}
	left, err := os.ReadFile(control)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- want[0].AwaitEnd() }()
	s.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(control, left, 0o600); err != nil { // as after kill -9
		t.Fatal(err)
	}
	if found := statedir.Find(dir); len(found) > 0 {
		t.Errorf("found %v, which is gone", found)
	}
}

// To look never keeps another devguard from starting.
func TestFindDisturbsNobody(t *testing.T) {
	dir := t.TempDir()
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			default:
				statedir.Find(dir)
			}
		}
	}()
	for range 200 {
		s, err := statedir.Open(dir, "app")
		if err == nil {
			err = s.Publish("http://127.0.0.1:1", "secret")
		}
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	close(end)
	<-ended
}
