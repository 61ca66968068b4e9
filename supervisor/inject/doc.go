// Package inject puts a script into HTML documents as they pass. It is pure: what comes in by a
// reader goes out by a reader, at once, whatever the pieces are.
//
// The promises:
//
//   - No byte of a document is changed, left out or held back, but for the beginning up to where the script
//     stands, at most MaxPrefix.
//   - Only what begins as a whole document gets the script: a doctype, or html or head. A fragment never
//     does, nor what the beginning leaves doubtful.
//   - The script stands where HTML lets one stand, before anything else that runs (place.go).
//   - A Content-Security-Policy decides whether and how the script is named (policy.go): no policy is loosened.
package inject
