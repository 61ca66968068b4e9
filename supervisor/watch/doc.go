// Package watch turns file events into change sets.
//
// Its promises:
//
//   - Contents decide. An event is a hint to look at a file; what counts is
//     whether its bytes differ from those seen before. Nothing is concluded
//     from the kind or the number of events.
//   - Nothing is lost. Watches are set before files are read. When events are
//     missing (queue overflow, a limit, a watch that died, a directory that was
//     replaced) everything concerned is looked at again, and the reader gets one
//     Note about it.
//   - Sets and snapshots carry a Version that grows; a set that is not read is
//     merged with the next one, so that a slow reader costs neither memory
//     without bound nor events.
//   - A change of the graph's files never waits for the search for include
//     globs, which runs beside.
//
// One goroutine (loop) owns all state. Others only wait for something slow: the
// drain empties the event queue, the mailbox merges sets for the reader, a walk
// lists directories and asks git. Each is waited for by Close.
package watch
