package watch

// eventsInOrder: inotify has one queue for all directories (inotify(7): "the events returned by
// reading from an inotify file descriptor form an ordered queue").
const eventsInOrder = true
