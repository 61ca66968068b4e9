//go:build !race

package main_test

// raceFlag is empty: see race_test.go.
var raceFlag []string
