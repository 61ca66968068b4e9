//go:build !linux

package watch

// eventsInOrder: kqueue and ReadDirectoryChangesW have a queue for each directory and promise
// nothing of the order between two.
const eventsInOrder = false
