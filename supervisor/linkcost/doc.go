// Package linkcost decides what makes a program long to link: the modules that bring most of what the
// linker reads, and the build tags that leave them out. It looks at nothing itself.
//
// What a module brings are the packages that would not be in the program without it: its own, and
// those of other modules and of the standard library that only it leads to. Their cost is the size
// of their archives, because the linker reads all of these at every link, also where it leaves
// most of the code out; they are known without a link, whatever the flags of the linker.
package linkcost
