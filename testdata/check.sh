#!/usr/bin/env bash
# Every check of devguard: formatting, vet, lint, and all tests with the race
# detector against a real Postgres, PgBouncer and Chromium, which are installed when
# missing (apt or brew). Nothing is skipped. Usage: testdata/check.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
sum=(go tool "-modfile=$root/testdata/tools/go.mod" gotestsum --format=pkgname)
lint=(go tool "-modfile=$root/testdata/tools/go.mod" staticcheck -checks=inherit,ST1000,ST1016,ST1020)

step() {
    printf '\n==> %s (at %d s)\n' "$*" "$SECONDS"
}

fail() {
    printf '\ntestdata/check.sh: error: %s\n' "$*" >&2
    exit 1
}

# The folder of initdb and pg_ctl: PATH, else where distributions keep them.
postgres_bin() {
    local program
    for program in "$(command -v initdb || true)" \
        $(ls -d /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb \
            {/opt/homebrew,/usr/local}/opt/postgresql@*/bin/initdb 2>/dev/null | sort -rV); do
        if [ -x "$program" ] && [ -x "$(dirname "$program")/pg_ctl" ]; then
            dirname "$program"
            return
        fi
    done
    return 1
}

# Some kernels leave programs of 32 bits out.
runs_i386() {
    local dir
    dir=$(mktemp -d)
    printf 'package main\n\nfunc main() {}\n' >"$dir/main.go"
    local failed=0
    GOARCH=386 CGO_ENABLED=0 go run "$dir/main.go" >/dev/null 2>&1 || failed=$?
    rm -rf "$dir"
    return "$failed"
}

# The names are those of testdata/browser.
has_chromium() {
    local name
    for name in chromium-headless-shell chromium chromium-browser google-chrome \
        "/Applications/Chromium.app/Contents/MacOS/Chromium" "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do
        if command -v "$name" >/dev/null; then return; fi
    done
    return 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Debian starts a server for each package that brings one. We want the programs
# alone: policy-rc.d says so, for as long as the installation takes.
apt_install() {
    local policy=/usr/sbin/policy-rc.d ours=""
    if [ ! -e "$policy" ]; then
        ours=$policy
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    local failed=0
    { as_root apt-get update -q &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@"; } </dev/null || failed=$?
    if [ -n "$ours" ]; then as_root rm -f "$ours"; fi
    return "$failed"
}

install_missing() {
    local apt=() brew=() program
    command -v git >/dev/null || { apt+=(git) brew+=(git); }
    command -v cc >/dev/null || { apt+=(gcc libc6-dev) brew+=(gcc); } # the race detector needs cgo
    postgres_bin >/dev/null || { apt+=(postgresql) brew+=(postgresql@17); }
    command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] || { apt+=(pgbouncer) brew+=(pgbouncer); }
    for program in fish zsh; do # for their completions
        command -v "$program" >/dev/null || { apt+=("$program") brew+=("$program"); }
    done
    if [ -e /dev/fuse ]; then command -v bindfs >/dev/null || apt+=(bindfs); fi # a folder of the host in a container
    command -v npm >/dev/null || { apt+=(npm) brew+=(node); } # Prisma, as a hook
    has_chromium || { apt+=(chromium-headless-shell) brew+=(chromium); }
    if [ ${#apt[@]} = 0 ]; then
        echo "nothing is missing"
    elif command -v apt-get >/dev/null; then
        apt_install "${apt[@]}"
    elif command -v brew >/dev/null; then
        brew install "${brew[@]}"
    else
        fail "please install ${apt[*]}: neither apt-get nor brew is here to do it"
    fi
}

# A throwaway server for the shop's tests, reached through a socket alone. Those
# of devguard start their own.
scratch=""
server_account() {
    if [ "$(id -u)" != 0 ]; then
        "$@"
    else # Postgres refuses to run as root
        runuser -u "$(id -un postgres 2>/dev/null || echo nobody)" -- "$@"
    fi
}

start_postgres() {
    scratch=$(mktemp -d)
    trap stop_postgres EXIT
    if [ "$(id -u)" = 0 ]; then
        chown "$(id -un postgres 2>/dev/null || echo nobody)" "$scratch"
    fi
    (
        cd "$scratch"
        server_account "$bin/initdb" -N -A trust -U shop -D "$scratch/data" >"$scratch.log"
        server_account "$bin/pg_ctl" -w -D "$scratch/data" -l "$scratch/log" \
            -o "-c listen_addresses='' -c fsync=off -k $scratch" start >>"$scratch.log"
    ) || { cat "$scratch.log" "$scratch/log"; fail "Postgres does not start"; }
}

stop_postgres() {
    if [ -e "$scratch/data/postmaster.pid" ]; then
        (cd "$scratch" && server_account "$bin/pg_ctl" -w -D "$scratch/data" -m immediate stop >/dev/null)
    fi
    rm -rf "$scratch" "$scratch.log" "$scratch.modules"
}

# Tests with the race detector; the flags of go test follow. A skip is allowed only for want of
# what this machine cannot have ("needs NAME: ...", see supervisor/testneed).
run_tests() {
    local record
    record=$(mktemp)
    "${sum[@]}" --jsonfile "$record" -- -race -shuffle=on "$@" || { rm -f "$record"; return 1; }
    local skipped
    skipped=$(grep -c '"Action":"skip".*"Test"\|"Test".*"Action":"skip"' "$record") || true
    local excused
    excused=$(grep -cE "needs ($cannot): " "$record") || true
    rm -f "$record"
    [ "$skipped" -le "$excused" ] || fail "$((skipped - excused)) tests were skipped that this machine must run: see the list above"
}

in_module() {
    local dir=$1
    shift
    printf '%s: %s\n' "$dir" "$*"
    (cd "$dir" && "$@")
}

step "what is needed"
command -v go >/dev/null || fail "there is no Go toolchain on PATH: see https://go.dev/doc/install"
go version
install_missing
bin=$(postgres_bin) || fail "no initdb after installing Postgres"
"$bin/postgres" --version
PATH=$PATH:/usr/sbin # where Debian keeps pgbouncer
pgbouncer --version | head -n 1
# What the tests need, by the names of supervisor/testneed, and what this machine cannot have.
export DEVGUARD_TEST_REQUIRE=bash,chromium,dlv,fish,git,hostname,mkfifo,npm,pgbouncer,postgres,postgres14,psql,pty,shell,time,zsh
cannot=nothing
if [ "$(uname -s)" = Linux ]; then
    DEVGUARD_TEST_REQUIRE+=,diag,inotify,linux
else
    cannot+="|diag|inotify|linux"
fi
if [ "$(uname -s)" != Linux ] || [ -s /proc/net/if_inet6 ]; then
    DEVGUARD_TEST_REQUIRE+=,ipv6
else
    cannot+="|ipv6"
fi
case $(pgbouncer --version | head -n 1) in
*" 1.1"[0-9].* | *" 1.20."*) cannot+="|pgbouncer1.21" ;;
*) DEVGUARD_TEST_REQUIRE+=,pgbouncer1.21 ;;
esac
if [ "$(uname -m)" = x86_64 ]; then DEVGUARD_TEST_REQUIRE+=,race; else cannot+="|race"; fi
if runs_i386; then DEVGUARD_TEST_REQUIRE+=,i386; else cannot+="|i386"; fi
if [ "$(id -u)" = 0 ] && command -v bindfs >/dev/null && [ -e /dev/fuse ]; then
    DEVGUARD_TEST_REQUIRE+=,bindfs
else
    cannot+="|bindfs"
fi
if [ "$(id -u)" = 0 ]; then
    DEVGUARD_TEST_REQUIRE+=,root,mount,namespace
else
    cannot+="|root|mount|namespace"
fi
modules=$(find testdata -name go.mod -not -path 'testdata/tools/*' -exec dirname {} \; | sort)

step "gofmt"
unformatted=$(git ls-files -co --exclude-standard '*.go' | while read -r f; do if [ -e "$f" ]; then gofmt -l "$f"; fi; done)
[ -z "$unformatted" ] || fail "not formatted, run gofmt -w on: $unformatted"

step "go vet, also for macOS; go build for Windows"
go vet ./...
GOOS=darwin go vet ./...
GOOS=windows go build ./...

if [[ $(go help fix) == *-diff* ]]; then # Go 1.26
    step "go fix"
    fixes=$(go fix -diff ./...) || true
    [ -z "$fixes" ] || fail "go fix has something to say: $fixes"
fi

step "staticcheck"
"${lint[@]}" ./...

step "the modules under testdata"
for module in $modules; do
    in_module "$module" go vet ./...
    in_module "$module" "${lint[@]}" ./...
    if [ "$module" = testdata/drivers ]; then in_module "$module" go vet -tags=suites ./...; fi
done

# How many tests of a package run at a time: most wait more than they compute, but where it takes more than
# 2 ms to start a process they are in each other's way.
at_a_time() {
    local TIMEFORMAT=%R true took i
    true=$(type -P true)
    took=$({ time for ((i = 0; i < 200; i++)); do "$true"; done; } 2>&1)
    if [[ ${took/,/.} < 0.4 ]]; then echo 6; else echo 3; fi
}

# The modules are tested beside devguard.
test_modules() {
    local module
    for module in testdata/shop testdata/shopkit testdata/bench testdata/wire testdata/drivers testdata/browser; do
        DATABASE_URL="postgres:///postgres?user=shop&host=$scratch" in_module "$module" run_tests ./...
    done
}

step "go test -race: devguard, and beside it the shop, what it shares, the benchmarks, drivers, a browser"
start_postgres
test_modules >"$scratch.modules" 2>&1 &
modules_tested=$!
devguard_tested=0
run_tests -timeout=60m "-parallel=$(at_a_time)" ./... || devguard_tested=$?
wait "$modules_tested" || { cat "$scratch.modules"; fail "the tests of a module under testdata failed"; }
cat "$scratch.modules"
[ "$devguard_tested" = 0 ] || fail "the tests of devguard failed"

step "all checks passed"
