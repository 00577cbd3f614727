#!/usr/bin/env bash
#
# docs/hostile.md says which test shows what a node does with broken and hostile packets, and with
# what the suites of other stacks ask. This checks that it is true.
#
#   tests/conformance/hostile.sh [LOGS]
#
# Exit 1 if a row of its tables names no test, or one that does not exist, or one that did not pass
# by the logs in LOGS (build/test); or if a test whose comment says BAD: is not named.

set -u
export LC_ALL=C
cd "$(dirname "$0")/../.." || exit 1
logs=${1:-build/test}
page=docs/hostile.md
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0

if ! ls "$logs"/*.log >/dev/null 2>&1; then
    echo "not ok - hostile: no test has run, $logs is empty"
    exit 1
fi

# FILE:FUNCTION for each test, and "BAD" before it where the comment above says so; a script and a
# fuzzer stand for themselves.
{
    awk '
        FNR == 1 { bad = 0; file = FILENAME; sub(/.*\//, "", file); sub(/_test\.c$/, "", file) }
        /^\/\*/ { bad = /BAD:/ }
        /^static void [a-z0-9_]+\(void \*\*/ {
            name = $3; sub(/\(.*/, "", name)
            print file ":" name
            if (bad) print "BAD\t" file ":" name
        }
        /^}/ { bad = 0 }' tests/unit/*_test.c
    ls tests/e2e/*.sh | sed 's,.*/,,'
    ls tests/fuzz/*_fuzz.c | sed 's,.*/\(.*\)_fuzz\.c,fuzz:\1,'
    echo sim
} >"$tmp/exists"
awk -f tests/conformance/results.awk "$logs"/*.log >"$tmp/results"
awk -f tests/conformance/hostile.awk "$tmp/exists" "$tmp/results" $page >"$tmp/verdict"

# say KIND WHAT: are there faults of this kind?
say()
{
    if awk -F '\t' -v kind="$1" '$1 == kind { print "    " $2; n++ } END { exit !n }' \
        "$tmp/verdict" >"$tmp/out"; then
        echo "not ok - hostile: $2"
        cat "$tmp/out"
        failed=1
    else
        echo "ok - hostile: $2"
    fi
}

say row "each of the $(awk -F '\t' '$1 == "rows" { print $2 }' "$tmp/verdict") rows of $page names a test"
say missing "each test that it names exists"
say result "each of them passed"
say unnamed "it names each test that says BAD:"
exit $failed
