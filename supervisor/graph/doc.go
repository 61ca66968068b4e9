// Package graph says what a package is built from: which directories and files,
// outside GOROOT and the module cache, and which new file would count.
//
// It promises that:
//   - the answer is the go command's own (`go list -deps`), with the user's
//     flags, GOFLAGS, go.work and vendor directory;
//   - a tree that does not load gives an error and, beside it, as much of the
//     graph as can be had, at least the module files and the package's own
//     directory, so that the repair is seen;
//   - files and directories that do not exist but whose appearance would change
//     the build are in the graph too: go.sum, go.work up to the repository's root,
//     vendor/modules.txt, default.pgo, the directory of an import that is not
//     there yet;
//   - nothing is written: Load reads, and the go command may fill the module
//     cache.
package graph
