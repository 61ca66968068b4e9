// Package drivers tests the database guard with real drivers in real processes.
//
// The restarts (about a minute) run with every check:
//
//	go test -race ./...
//	go test -v -run Restarts -campaign    # 20 restarts of 5,000 queries for every driver
//
// The drivers' own test suites, first against a server itself and then through
// the guard, are run by hand: ./suites.sh.
package drivers
