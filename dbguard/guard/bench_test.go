package guard

import (
	"os"
	"testing"

	"github.com/devguard/devguard/dbguard/pgtest"
)

// What a restart pays: RecordSockets at the stop signal, and the drain when nothing
// is left to end.
func BenchmarkRestart(b *testing.B) {
	s := pgtest.Start(b)
	base := []string{"DATABASE_URL=" + s.URL(pgtest.Conn{})}
	g, err := Open(b.Context(), Options{RunID: runA, Dir: b.TempDir(), Env: base})
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close(b.Context())
	gen := 0
	wait := func() {
		for _, u := range g.upstreams.all() {
			u.prober.await(b.Context())
			if u.forDrain.dial != nil {
				<-u.forDrain.dial.done
			}
		}
	}
	b.Run("environment", func(b *testing.B) {
		for b.Loop() {
			g.AppEnv(b.Context(), 1, base)
		}
	})
	b.Run("record sockets", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			gen++
			g.AppEnv(b.Context(), gen, base)
			b.StartTimer()
			g.RecordSockets(gen, []int{os.Getpid()})
			b.StopTimer()
			wait()
			g.Drain(b.Context(), gen)
			b.StartTimer()
		}
	})
	b.Run("drain", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			gen++
			g.AppEnv(b.Context(), gen, base)
			g.RecordSockets(gen, []int{os.Getpid()})
			wait()
			b.StartTimer()
			g.Drain(b.Context(), gen)
		}
	})
	b.Run("drain without recorded sockets", func(b *testing.B) {
		for b.Loop() {
			gen++
			g.AppEnv(b.Context(), gen, base)
			g.Drain(b.Context(), gen)
		}
	})
}
