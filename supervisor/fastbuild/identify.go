package fastbuild

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// sums are those of all archives that were made here, now or before, and not by the go command.
func (b *run) sums() map[string]digest {
	all := maps.Clone(b.plan.made)
	if all == nil {
		return b.made
	}
	maps.Copy(all, b.made)
	return all
}

// identify has each program of a plan be known by a build ID of its own, as those of the go command are:
// profilers keep symbols by it, also by the GNU build ID that the linker derives from it, and programs keep
// caches. The go command links with action/main package's/action, and the last part is a sum of the program
// in the end (useCache and updateBuildID in cmd/go/internal/work). Ours is one of what is linked. It has the
// same length, so that nothing moves.
func (b *run) identify(args []string) {
	made := b.sums()
	i := slices.IndexFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "-buildid=") })
	if i < 0 || len(made) == 0 {
		return
	}
	slash := strings.LastIndex(args[i], "/")
	last := len(args[i]) - slash - 1
	if slash < 0 || last > base64.RawURLEncoding.EncodedLen(sha256.Size) {
		return // not the go command's: the user has given one
	}
	h := sha256.New()
	fmt.Fprintln(h, args[i])
	for _, path := range slices.Sorted(maps.Keys(made)) {
		fmt.Fprintf(h, "%s %x\n", path, made[path])
	}
	args[i] = args[i][:slash+1] + base64.RawURLEncoding.EncodeToString(h.Sum(nil))[:last]
}
