#!/usr/bin/env bash
#
# docs/conformance.md: which requirement of RFC 9293 is met where, and which test shows it; and
# docs/conformance-hosts.md: the same for what is asked of hosts, of IP, ICMP and UDP. The first page
# also says which sections of the RFCs on loss recovery and congestion control have tests of their own.
#
#   tests/conformance.sh check LOGS    are the pages what the logs in LOGS say? (make test)
#   tests/conformance.sh write LOGS    write them
#   tests/conformance.sh run           run the units whose comments name an id, then write them
#                                      (make conformance)
#
# A test says which requirements it shows by their ids in the comment directly above it, as in
# "MUST-36, MUST-37: the window stays closed for ever". Results come from the logs that tests/run.sh
# keeps. Exit 1 if a MUST, or a SHOULD or MAY that is not excused, has no passing test; if a
# FILE:FUNCTION does not exist; if a tag names an unknown id; if a cell of the matrix did not pass;
# if a test that is named after an RFC's section did not, or one of the RFCs of rfcs.txt has none;
# and, for check, if a page is not up to date.

set -u

# Whether all that RFC 1122, 8200, 8504, 8201 and 4443 ask with a MUST is built and shown. With "no", a row
# of hosts.txt may be open; with "yes", a MUST that is open is a fault like one without a test.
hosts_complete=yes

export LC_ALL=C
cd "$(dirname "$0")/.." || exit 1
mode=${1:-check}
logs=${2:-build/test}
page=docs/conformance.md
hosts_page=docs/conformance-hosts.md
bin=build/release/unit
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0

say()
{
    if [ -s "$tmp/out" ]; then
        echo "not ok - conformance: $1"
        sed 's/^/    /' "$tmp/out"
        failed=1
    else
        echo "ok - conformance: $1"
    fi
}

# "F", the test's name, then the rows that it prints.
matrix()
{
    local t

    for t in "$bin"/event_*_test; do
        [ -x "$t" ] || continue
        printf 'F\t%s\n' "$(basename "$t" _test)"
        "$t" --table || echo "cell	$t --table failed" >>"$tmp/more"
    done
}

functions()
{
    find common host peer netsetup -name '*.[ch]' | sort |
        xargs awk -f tests/conformance/kit.awk -f tests/conformance/places.awk
}

run_units()
{
    local t name

    logs=build/conformance
    rm -rf $logs
    mkdir -p $logs
    cp build/test/*.log $logs/ 2>/dev/null
    rm -f $logs/*-asan.log
    for t in "$bin"/*_test; do
        name=$(basename "$t" _test)
        if [ "${name#event_}" != "$name" ] || cut -f2 "$tmp/tags" | grep -qx "$name" ||
            grep -qE '^static void (rfc[0-9]+|draft)_' "tests/unit/${name}_test.c"; then
            CMOCKA_MESSAGE_OUTPUT=TAP timeout 120 "$t" >"$logs/$name-release.log" 2>&1
        fi
    done
}

awk -f tests/conformance/kit.awk -f tests/conformance/tags.awk tests/unit/*_test.c \
    $(ls tests/e2e/*.sh) >"$tmp/tags"
[ "$mode" != run ] || run_units
if ! ls "$logs"/*.log >/dev/null 2>&1; then
    echo "not ok - conformance: no test has run, $logs is empty"
    exit 1
fi
functions >"$tmp/functions"
awk -f tests/conformance/results.awk "$logs"/*.log >"$tmp/results"
: >"$tmp/more"
matrix >"$tmp/matrix"
: >"$tmp/verdict"
grep -v '^RFC ' "$tmp/tags" >"$tmp/tags.tcp"
grep '^RFC ' "$tmp/tags" >"$tmp/tags.hosts"
awk -v verdict="$tmp/verdict" -f tests/conformance/kit.awk -f tests/conformance/report.awk \
    tests/conformance/requirements.txt "$tmp/functions" "$tmp/tags.tcp" "$tmp/results" \
    "$tmp/matrix" >"$tmp/page" || exit 1
awk -v verdict="$tmp/more" -v complete=$hosts_complete -f tests/conformance/kit.awk \
    -f tests/conformance/hosts.awk part=1 tests/conformance/hosts.txt part=2 "$tmp/functions" \
    part=3 "$tmp/tags.hosts" part=4 "$tmp/results" >"$tmp/hosts" || exit 1
awk -v verdict="$tmp/verdict" -f tests/conformance/sections.awk tests/conformance/rfcs.txt \
    "$tmp/results" tests/unit/*_test.c >>"$tmp/page" || exit 1
cat "$tmp/more" >>"$tmp/verdict"

# faults PATTERN WHAT: the faults of these kinds are told.
faults()
{
    awk -F '\t' -v kind="$1" '$1 ~ "^(" kind ")$" { print ($1 ~ /-/ ? $1 ": " : "") $2 }' \
        "$tmp/verdict" >"$tmp/out"
    say "$2"
}

summary()
{
    awk -F '\t' -v name="$1" '$1 == "summary" && index($2, name) { print $2; exit }' "$tmp/verdict"
}

faults "form|tag" "each tag names a requirement of the list"
faults "place" "each requirement names a place that exists and speaks of it"
faults "MUST-[0-9]+" "$(summary MUST) with a passing test"
faults "(SHLD|REC)-[0-9]+" "$(summary SHOULD) with a passing test"
faults "MAY-[0-9]+" "$(summary MAY) with a passing test"
faults "U-[0-9]+" "$(summary unlabelled) with a passing test"
faults "cell" "$(summary matrix) pass"
faults "section" "$(summary sections)"
faults "hostform|hosttag" "each tag of RFC 1122, 8200, 8504, 8201 and 4443 names a row of hosts.txt"
faults "hostplace" "each place that hosts.txt names exists"
faults "hosttest|hostopen" "$(summary hosts)"

# deliver NEW PAGE
deliver()
{
    if [ "$mode" = check ]; then
        diff "$2" "$1" >"$tmp/out" 2>&1
        say "$2 is up to date, as 'make conformance' writes it"
    else
        cp "$1" "$2"
        echo "wrote $2"
    fi
}
deliver "$tmp/page" "$page"
deliver "$tmp/hosts" "$hosts_page"
[ "$mode" = check ] || awk -F '\t' '$1 == "hint" { print "open, but shown by passing tests: " $2 }' "$tmp/verdict"
exit $failed
