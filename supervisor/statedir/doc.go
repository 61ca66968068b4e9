// Package statedir owns .devguard/ beside the configuration: what devguard knows
// from one run to the next, and the lock that keeps two devguards of one name
// apart.
//
//	.devguard/            0700, .gitignore of "*"
//	  <name>/lock         held by flock while a devguard of that name runs
//	  <name>/running      held by flock while control.json is to be believed
//	  <name>/control.json {"pid": N, "url": URL, "token": T}; see Find
//	  <name>/page.json    {"port": N, "key": K}: by it pages that are open go on with the next run
//	  <name>/runs.json    run ids whose database sessions may be left
//	  <name>/instances.json  processes of the instances that were started
//	  <name>/<gen>/       the binary of a generation, under its own name
//	  .hooks/             of each hook its newest run, and a lock while it runs; for all names
//	  <name>/tmp/         GOTMPDIR of builds
//
// The promises:
//
//   - The lock is the kernel's: it ends with the process, by kill -9 too, and
//     is not inherited by programs that devguard executes. There is a second one in the
//     user's cache, where `git clean` does not come: a folder that is removed while
//     devguard runs frees no name. Mend makes such a folder again.
//   - Files are 0600 and replaced by rename: a reader sees the old or the new
//     one. After a power cut a file may be empty; what cannot be read counts as
//     empty, and Notes says so.
//   - A process is ended only if it is provably one that a devguard of this name
//     has started: see EndLeftovers.
//
// A Dir may be used by several goroutines.
package statedir
