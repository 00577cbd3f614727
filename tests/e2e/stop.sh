#!/usr/bin/env bash
#
# make test itself. Ctrl-C: everything stops at once, with 130, and nothing stays behind, also where two
# tests run side by side; what two such say is told apart, in order, and counted. The runner is run
# on a house of cards: one that builds nothing and has tests that take for ever.

. "$(dirname "$0")/lib.sh"
need script

house=$WORK/house
mkdir -p "$house"/tests/{e2e,fuzz,bench,conformance} "$house"/build/{release,asan}
cp tests/run.sh "$house/tests/"
printf 'build tests-build: ;\n' >"$house/Makefile"
for stub in $(grep -oE 'tests/[a-z/]+\.sh' tests/run.sh | sort -u) build/{release,asan}/sim; do
    printf '#!/bin/sh\necho "ok - stub"\n' >"$house/$stub"
    chmod +x "$house/$stub"
done

# forever SCRIPT: in a group of its own is also what a test starts under `timeout`.
forever()
{
    cat >"$house/tests/$1" <<'END'
#!/usr/bin/env bash
litter=litter.$(basename "$0")
trap 'rm -f "$litter"' EXIT
touch "$litter"
echo "ok - the first"
sleep 3210 &
timeout 3210 sleep 3211
echo "not ok - carried on"
END
    chmod +x "$house/tests/$1"
}

running()
{
    pgrep -f '^(sleep|timeout.*) 321[01]' >/dev/null
}

# first_lines LOG...: of tests that run.
first_lines()
{
    local log

    for log in "$@"; do
        grep -qs '^ok' "$house/build/test/$log.log" || return 1
    done
}

# What a person does: the runner in a terminal, and the key. (What & starts is deaf to SIGINT.)
# stops WHAT LOG...: when those tests run.
stops()
{
    local what=$1
    shift

    rm -rf "$house/build/test" "$WORK/out"
    (
        wait_for 10 first_lines "$@"
        printf '\003'
        wait_for 5 grep -q '^status' "$WORK/out"
    ) | (
        LANES=2 env --default-signal=INT script -qec "exec $house/tests/run.sh" /dev/null
        echo "status $?"
    ) >"$WORK/out" 2>&1 &
    check "$what: it runs" wait_for 10 first_lines "$@"
    check "$what: Ctrl-C stops the runner within two seconds" wait_for 2 grep -q '^status' "$WORK/out"
    is "$what: with 130" "$(tr -d '\r' <"$WORK/out" | grep '^status')" "status 130"
    is "$what: it carries on with nothing" "$(grep 'not ok' "$WORK/out")" ""
    check "$what: it says so in one line" grep -q '^twintun: stopped; nothing is left' "$WORK/out"
    is "$what: a test could tidy up" "$(ls "$house" | grep litter)" ""
    check "$what: nothing is left running" wait_for 5 eval '! running'
}

cp "$house/tests/lint.sh" "$WORK/stub"
forever lint.sh
stops "one test" lint
cp "$WORK/stub" "$house/tests/lint.sh"
forever e2e/a.sh
forever e2e/b.sh
stops "two side by side" a b

# The first takes longest, and is shown first; one says that it failed, one only ends so.
printf 'sleep 0.6\necho "ok - of a"\n' >"$house/tests/e2e/a.sh"
printf 'echo "not ok - of b"\nexit 1\n' >"$house/tests/e2e/b.sh"
printf 'exit 3\n' >"$house/tests/e2e/c.sh"
printf 'echo "skip - of d # why"\nexit 77\n' >"$house/tests/e2e/d.sh"
LANES=2 "$house/tests/run.sh" >"$WORK/out" 2>&1 </dev/null
is "two fail, side by side with others: exit 1" $? 1
is "what each said stands in the order of their names" \
    "$(sed -n '/^== a$/,/^== bench/p' "$WORK/out" | grep -v '([0-9] s)\|bench' | tr '\n' ';')" \
    "== a;ok - of a;== b;not ok - of b;== c;not ok - c ended with 3;== d;skip - of d # why;"
is "and is counted" "$(tail -n 1 "$WORK/out" | grep -o ', 2 failed, 1 skipped')" ", 2 failed, 1 skipped"
finish
