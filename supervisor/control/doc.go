// Package control answers whoever asks about a running devguard over HTTP: what is served, what has
// failed, what waits. It is a view: it reads states and passes on wishes, and decides nothing.
//
//	GET  /v1/status             Status
//	GET  /v1/events             text/event-stream, see stream.go
//	GET  /v1/wait?timeout=60s   Waited, once the tree as it is now is served or will not be
//	POST /v1/restart            like key r
//	POST /v1/stop               like key q; once more: without the app's grace
//	POST /v1/reset-connections  ends the app's database sessions, and answers what was done
//	POST /api/debug/reset-db    the same
//	GET  /debug/pprof/          of devguard itself
//	GET  /page/                 the status page, see page.go
//	POST /v1/page               an address that opens it once
//	POST /v1/page/enter         what it asks with, see pass.go
//
// The promises:
//
//   - It listens on loopback alone, and every request needs the secret of the run in
//     "Authorization: Bearer", but for the files of the status page, which have nothing of the run
//     in them, and its request for that secret. The Host must be a loopback address or localhost, with our port, and
//     an Origin must be that host: a page that has a name of its own resolve to 127.0.0.1, or any
//     other page, is refused, whatever it knows.
//   - A request that is refused has changed nothing, and nothing of it is logged.
//   - Requests are bounded in size and time, and event streams in number. Nobody who reads slowly
//     holds up devguard or other readers.
//   - The form of what is answered is versioned: fields may be added to version 1, and none is
//     taken away or changes its meaning.
package control
