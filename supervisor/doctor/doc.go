// Package doctor decides what `devguard doctor` says. Facts about a machine and a project go in, and
// a line for each thing that was looked at comes out: ok, a warning, or a problem with its fix. It
// looks at nothing itself.
//
//   - A problem keeps devguard, the app or a hook from running as it is configured. A warning is
//     about what works worse than it could, or is a risk. Each of both has a fix.
//   - The form of a Report is versioned: fields and checks may be added to version 1, and none is
//     taken away or changes its meaning. The wording of texts and fixes may change.
//   - No password comes out that did not go in, and whoever gathers facts gives none in.
package doctor
