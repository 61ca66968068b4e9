//go:build race

package e2e_test

// raceFlag has devguard itself built with the race detector when its tests are.
var raceFlag = []string{"-race"}
