#!/usr/bin/env bash
# The test suites of pgx and lib/pq themselves, against a Postgres and through
# devguard in both modes, compared test by test: what passes without devguard has
# to pass through it, but for the limits that suites_test.go names. Some ten
# minutes; wants Go, Postgres with its contrib modules, and the module proxy.
# Usage: ./suites.sh [NAME], NAME being pgx, pq or pq-binary.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
go mod download github.com/jackc/pgx/v5 github.com/lib/pq
DEVGUARD_TEST_REQUIRE=postgres exec go test -v -count=1 -timeout=40m -run "TestSuites/${1:+^$1\$}" -tags=suites .
