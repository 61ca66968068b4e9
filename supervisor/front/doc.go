// Package front is the app's public address: a reverse proxy that stays while the app's
// generations come and go, so that no request is lost between two of them.
//
// What becomes of a request is decided by package gate; here it is done. Front is told
// of each generation as it starts, is ready, stops, and ends, and of its address. The
// order at a stop is Stopping, Settle, the signal, EndStreams, Ended.
//
// The first bytes of a connection say what it is (opening.go): HTTP/1 and HTTP/2 without
// TLS are proxied (proxy.go), everything else, and whoever waits for the app to speak
// first, is carried to the app byte by byte (raw.go).
//
// It runs in a process of its own (process.go), which is called by net/rpc (service.go).
//
// The promises:
//
//   - A request that arrives while the app is away waits, its body unread.
//   - A request that is not safe to repeat has a connection to the app of its own, and
//     none is sent again of which a byte was written (send.go).
//   - The app sees the request's target, Host and body as the client sent them, and
//     the client the app's answer. Headers of the hop between are the proxy's own; X-Forwarded-For,
//     -Host and -Proto are made here, unless the client is of this machine and says more.
//   - Nothing is buffered: bodies, streams and trailers pass as they come.
//   - A websocket whose app ends is closed with 1012 (service restart), an event stream
//     by its end; a download that the app did not finish is broken off.
//   - Whoever asks while the app is down gets a 503. Why it is down has names of files in
//     it, and is for this machine alone.
package front
