package fastbuild

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
	"fmt"

	"github.com/devguard/devguard/supervisor/build"
)

func TestSpike(t *testing.T) {
	dir, pkg := os.Getenv("SPIKE_DIR"), os.Getenv("SPIKE_PKG")
	if dir == "" { t.Skip() }
	tmp, err := os.MkdirTemp("/tmp/w/f12", "spike")
	if err != nil { t.Fatal(err) }
	defer os.RemoveAll(tmp)
	gf := ""
	req := build.Request{Dir: dir, Package: pkg, Out: filepath.Join(tmp, "app"), Tmp: filepath.Join(tmp, "t"), Objects: filepath.Join(tmp, "obj"), Goflags: &gf, Again: true}
	began := time.Now()
	res := build.Run(context.Background(), req)
	if res.Err != nil { t.Fatal(res.Err, res.Output) }
	fmt.Println("real", res.Took)
	flags, _ := build.BuildFlags(req, gf)
	begin := time.Now()
	p, err := Record(context.Background(), Request{Dir: dir, Package: pkg, Flags: flags, Tmp: filepath.Join(tmp, "r"), Linked: filepath.Join(tmp, "obj", build.LinkedBy), Began: began,
		Same: func(out string) (bool, error) { d, err := build.Digest(out); return d == res.Digest, err }})
	fmt.Println("record", time.Since(begin), err)
	if err != nil { t.Fatal(err) }
	local, blocked := 0, map[Kind]int{}
	for _, x := range p.packages { if x.Local { local++; if x.Blocked != nil { blocked[x.Blocked.Kind]++; fmt.Println(x.Blocked) } } }
	fmt.Println(len(p.packages), local, blocked, len(p.inputs))
	for i := range 3 {
		file := os.Getenv("SPIKE_FILE")
		src, err := os.ReadFile(file)
		if err != nil { t.Fatal(err) }
		src = append(src, fmt.Sprintf("\nfunc init() { println(%d) }\n", i)...)
		os.WriteFile(file, src, 0o644)
		begin = time.Now()
		e, err := p.Look()
		looked := time.Since(begin)
		if err != nil { t.Fatal(err) }
		s, refused := p.Decide(e)
		fmt.Println(looked, s, refused, e.Others)
		if refused != nil { continue }
		out := filepath.Join(tmp, fmt.Sprint("fast", i))
		r, err := p.Build(context.Background(), e, s, Target{out, filepath.Join(tmp, fmt.Sprint("f", i))})
		fast := time.Since(begin)
		if err != nil { t.Fatal(err) }
		req.Out = filepath.Join(tmp, fmt.Sprint("real", i)); req.Objects = ""
		begin = time.Now()
		res := build.Run(context.Background(), req)
		real := time.Since(begin)
		d, _ := build.Digest(out)
		fmt.Println("compiled", len(r.Compiled), "fast", fast, "real", real, float64(fast)/float64(real), "same", d == res.Digest)
		p = r.Next
	}
}
