#!/usr/bin/env bash
#
# make test and Ctrl-C: everything stops at once, with 130, and nothing stays behind. The runner is
# run on a house of cards: one that builds nothing and has a single test, which takes for ever.

. "$(dirname "$0")/lib.sh"
need script

house=$WORK/house
mkdir -p "$house/tests/e2e"
cp tests/run.sh "$house/tests/"
printf 'build tests-build: ;\n' >"$house/Makefile"
# In a group of its own is also what a test starts under `timeout`.
cat >"$house/tests/lint.sh" <<'END'
#!/usr/bin/env bash
trap 'rm -f litter' EXIT
touch litter
echo "ok - the first"
sleep 3210 &
timeout 3210 sleep 3211
echo "not ok - carried on"
END
chmod +x "$house/tests/lint.sh"

running()
{
    pgrep -f '^(sleep|timeout.*) 321[01]' >/dev/null
}

# What a person does: the runner in a terminal, and the key. (What & starts is deaf to SIGINT.)
(
    wait_for 10 grep -qs '^ok' "$house/build/test/lint.log"
    printf '\003'
    sleep 5
) | (
    env --default-signal=INT script -qec "exec $house/tests/run.sh" /dev/null
    echo "status $?"
) >"$WORK/out" 2>&1 &
check "the test runs" wait_for 10 grep -qs '^ok' "$house/build/test/lint.log"
check "Ctrl-C stops the runner within two seconds" wait_for 2 grep -q '^status' "$WORK/out"
is "with 130" "$(tr -d '\r' <"$WORK/out" | grep '^status')" "status 130"
is "it carries on with nothing" "$(grep 'not ok' "$WORK/out")" ""
check "it says so in one line" grep -q '^twintun: stopped; nothing is left' "$WORK/out"
check "a test could tidy up" test ! -e "$house/litter"
check "nothing is left running" wait_for 1 eval '! running'
finish
