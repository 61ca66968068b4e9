// Package fastbuild compiles and links what an edit asks for, without the go command.
//
// The go command recompiles every importer of an edited package, also when what the package exports
// has not changed, and looks at everything that it has looked at before. Here a Plan is recorded once:
// the commands that the go command itself would run (`go build -n -a`), and the objects that one of its
// builds has linked. After an edit of function bodies one package is compiled, and the program is linked.
//
// It promises that:
//   - a program that Plan.Make makes has the bytes of that which `go build` makes of the same tree, but
//     for the build ID and what is derived from it;
//   - what is not positively known to be safe is a *Refusal, which says why, and the go command builds;
//   - nothing is written but to the directories that the caller gives, so never to the build cache;
//   - Record and Make return only when every process that they started is gone.
//
// Decide and what reads the go command's answers are pure.
package fastbuild
