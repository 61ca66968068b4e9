package fastbuild

import "strings"

// A flag that is in neither table may have the compiler or the linker read or write files, or behave
// in a way that nobody has looked at.
//
// compilerFlags and linkerFlags tell which take their value from the next word.
var (
	compilerFlags = map[string]bool{
		"-o": true, "-trimpath": true, "-p": true, "-buildid": true, "-goversion": true, "-importcfg": true, "-installsuffix": true, "-embedcfg": true, "-pgoprofile": true,
		"-lang": false, "-c": false, "-std": false, "-complete": false, "-nolocalimports": false, "-pack": false,
		"-race": false, "-shared": false, "-N": false, "-l": false, "-e": false, "-dwarf": false, "-env": false,
	}
	linkerFlags = map[string]bool{
		"-o": true, "-importcfg": true, "-installsuffix": true, "-X": true,
		"-buildmode": false, "-buildid": false, "-w": false, "-s": false, "-race": false, "-extld": false, "-compressdwarf": false,
	}
	// foreign are flags of packages that have more than Go sources.
	foreign = map[string]Kind{
		"-symabis": Assembly, "-asmhdr": Assembly, "-coveragecfg": Generated,
	}
)

// readCompiler returns the sources that a compiler's command names. Of a flag that is not understood
// the package is blocked.
func readCompiler(pkg *Package) ([]string, *Refusal) {
	args := pkg.compile.args
	for i := 0; i < len(args); i++ {
		word := args[i]
		if !strings.HasPrefix(word, "-") {
			return pkg.compile.sources(args[i:]), nil
		}
		name, _, joined := strings.Cut(word, "=")
		valued, known := compilerFlags[name]
		if kind, ok := foreign[name]; ok {
			pkg.Blocked = refuse(kind, pkg.Path)
			valued, known = !joined, true
		}
		if !known {
			return nil, refuse(Flag, name+" of the compiler")
		}
		if valued && !joined {
			i++
		}
	}
	return nil, refuse(Unknown, "a package without sources: "+pkg.Path)
}

func (c command) sources(words []string) []string {
	var all []string
	for _, w := range words {
		all = append(all, c.absolute(w))
	}
	return all
}

// readLinker says why a linker's command cannot be repeated.
func readLinker(c command) *Refusal {
	for i := 0; i < len(c.args)-1; i++ {
		name, value, joined := strings.Cut(c.args[i], "=")
		valued, known := linkerFlags[name]
		switch {
		case !known:
			return refuse(Flag, name+" of the linker")
		case name == "-buildmode" && value != "exe" && value != "pie":
			return refuse(Flag, c.args[i])
		case valued && !joined:
			i++
		}
	}
	return nil
}
