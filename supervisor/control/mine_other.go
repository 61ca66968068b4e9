//go:build !linux

package control

// mine reports whether the open connection from remote to our port is one of our own user. Here the
// operating system tells no ordinary user: the code of a page is good for whoever is first.
func mine(string, uint16) bool { return true }
