// Package graph says what a package is built from: Load returns a classify.Graph with the directories
// and files outside GOROOT and the module cache, and the rule for which new file would count; Header
// returns the digest of the part of a file that go list reads.
//
// Its promises:
//
//   - The answer is the go command's own (`go list -deps`), with the user's flags, GOFLAGS, go.work
//     and vendor directory.
//   - Of a tree that does not load there is an error and, beside it, as much of the graph as can be
//     had, at least the module files and the package's own directory, so that the repair is seen.
//   - Files and directories that do not exist, but would change the build if they did, are in the
//     graph too: go.sum, go.work up to the repository's root, vendor/modules.txt, default.pgo, the
//     directory of an import that is not there yet.
//   - Load writes nothing; the go command may fill the module cache.
package graph
