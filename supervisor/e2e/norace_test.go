//go:build !race

package e2e_test

// raceFlag is empty: see race_test.go.
var raceFlag []string
