package watch

// FileSystem reports whether the file system of dir delivers an event for every change, and how it
// is called; "" when that is not known.
func FileSystem(dir string) (reliable bool, name string) { return local(dir) }

// Usage is what one user has of a limit of the system; a Limit of 0 is none that is known.
type Usage struct{ Used, Limit int }
