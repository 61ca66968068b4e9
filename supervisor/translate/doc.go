// Package translate makes a devguard.toml of the configuration of another tool: air's .air.toml,
// reflex.conf, nodemon.json (or nodemonConfig of a package.json), or a command line of reflex, wgo
// or nodemon.
//
// It is pure: bytes and a few facts of the project in, text out; package cmd reads and writes the
// files. Each setting of the other tool is translated, or listed in a comment with its line and
// why: not needed, or not supported.
//
// What it returns always parses (package config). A value that devguard.toml cannot hold becomes a
// comment like those above; nothing makes it panic.
package translate
