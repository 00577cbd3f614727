#!/usr/bin/env bash
#
# Every test, from what is quick and tells most to what is slow: walls, units, simulator, end to end.
# Called by `make test`, which has seen to the dependencies.
#
# A test says its results in lines: "ok - WHAT", "not ok - WHAT", "skip - WHAT # WHY". They are
# counted here. A test that ends with an error and has said nothing of it counts as one failure; one
# that ends with 77 could not run and counts as skipped. All output is kept in build/test/.
#
# Ctrl-C stops everything at once. Tests make process groups (timeout does), which the terminal's
# signal does not reach. So each test is a session of its own, which whatever it starts belongs to;
# this script waits in `wait`, which a signal interrupts, and ends that session itself.

set -u
cd "$(dirname "$0")/.." || exit 1
logs=build/test
passed=0 failed=0 skipped=0
began=$SECONDS
child=
exec 4>&1

# First gently, so that a test can remove what it put into /tmp; then without asking. Gently is once
# for each process: timeout would pass it on, and end the rm that a test's own end has begun.
end_child()
{
    local tries=20

    # shellcheck disable=SC2046
    kill -TERM $(pgrep -s "$child" | grep -vx "$child") 2>/dev/null
    while pgrep -s "$child" >/dev/null && [ $((tries -= 1)) -gt 0 ]; do
        sleep 0.05
    done
    pkill -KILL -s "$child"
    kill -KILL "$child" 2>/dev/null # which may not have come to be a session yet
    wait "$child" 2>/dev/null
}

stopped()
{
    trap '' INT TERM HUP
    exec >&4 # where this is called, a test's log may stand in its place
    [ -z "$child" ] || end_child
    echo
    echo "twintun: stopped; nothing is left running"
    exit $((128 + $1))
}
trap 'stopped 2' INT
trap 'stopped 15' TERM
trap 'stopped 1' HUP

# limited SECONDS COMMAND...: 124 if it took longer. A shell makes what it starts with & deaf to
# SIGINT, which is not what a test of signals wants; env takes that back.
limited()
{
    local status

    setsid env --default-signal=INT,QUIT timeout -k 10 "$@" </dev/null 4>&- &
    child=$!
    wait "$child"
    status=$?
    child=
    return $status
}

if ! mkdir -p "$logs" 2>/dev/null || [ ! -w "$logs" ]; then
    [ -e "$logs" ] && not_ours=$logs || not_ours=build
    echo "twintun: $not_ours is not yours to write (owner: $(stat -c %U $not_ours)); remove it: sudo rm -rf build"
    exit 4
fi
rm -rf "$logs"
mkdir -p "$logs"

# tally NAME STATUS: count the lines of NAME's log, and what its exit status adds to them.
tally()
{
    local ok bad skip

    skip=$(grep -cE '^skip|^(not )?ok .*# ?SKIP' "$logs/$1.log")
    ok=$(grep -E '^ok' "$logs/$1.log" | grep -cvE '# ?SKIP')
    bad=$(grep -E '^not ok' "$logs/$1.log" | grep -cvE '# ?SKIP')
    if [ "$2" -eq 77 ] && [ "$skip" -eq 0 ]; then
        skip=1
    elif [ "$2" -ne 0 ] && [ "$2" -ne 77 ] && [ "$bad" -eq 0 ]; then
        echo "not ok - $1 ended with $2"
        bad=1
    elif [ "$2" -eq 0 ] && [ $((ok + bad + skip)) -eq 0 ]; then
        echo "not ok - $1 tested nothing"
        bad=1
    fi
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
    [ "$bad" -eq 0 ]
}

# loud NAME SECONDS COMMAND...: run and show what it says.
loud()
{
    local name=$1 limit=$2 start=$SECONDS status tee
    shift 2

    echo "== $name"
    exec 3> >(exec tee -i "$logs/$name.log")
    tee=$!
    limited "$limit" "$@" >&3 2>&1 3>&-
    status=$?
    exec 3>&-
    wait $tee
    [ "$status" -eq 124 ] && echo "not ok - $name took more than $limit s" | tee -a "$logs/$name.log"
    tally "$name" "$status"
    echo "   ($((SECONDS - start)) s)"
}

# quiet NAME SECONDS COMMAND...: run, and say one line unless it fails.
quiet()
{
    local name=$1 limit=$2 status before=$passed
    shift 2

    limited "$limit" "$@" >"$logs/$name.log" 2>&1
    status=$?
    if tally "$name" $status; then
        echo "$name: $((passed - before)) passed"
    else
        cat "$logs/$name.log"
    fi
}

build()
{
    local variant

    for variant in release asan; do
        echo "== build ($variant)"
        if ! limited 1800 make --no-print-directory -j"$(nproc)" BUILD=$variant build tests-build \
            >"$logs/build-$variant.log" 2>&1; then
            cat "$logs/build-$variant.log"
            echo "twintun: the $variant build failed"
            exit 1
        fi
    done
}

# Units run twice: as they ship, and with the sanitizers watching.
units()
{
    local dir t

    export CMOCKA_MESSAGE_OUTPUT=TAP
    export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1} UBSAN_OPTIONS=print_stacktrace=1
    for dir in release asan; do
        echo "== units ($dir)"
        for t in build/$dir/unit/*_test; do
            [ -x "$t" ] && quiet "$(basename "$t" _test)-$dir" 120 "$t"
        done
    done
}

# The corpus and mutations of it in both builds; and libFuzzer for a moment, where clang has it.
fuzz()
{
    loud fuzz 180 tests/fuzz/run.sh replay release
    loud fuzz-asan 180 tests/fuzz/run.sh replay asan
    loud fuzz-short 300 tests/fuzz/run.sh short
}

# The sanitizers' build must play the same seeds to the same last bit.
same_traces()
{
    if [ "$(build/release/sim --seeds 1..1000 --jobs 2 | grep hash)" = "$(grep hash $logs/sim-asan.log)" ]; then
        echo "ok - both builds give the same traces"
    else
        echo "not ok - the release and the asan build give different traces"
    fi
}
export -f same_traces
export logs

build
loud lint 120 tests/lint.sh build/release
units
loud valgrind 600 tests/valgrind.sh
fuzz
quiet census 10 build/release/sim --census 1..10000
loud sim 180 build/release/sim --seeds 1..10000 --jobs 2
loud bounds 120 build/release/sim --bounds
loud matrix 300 build/release/sim --matrix tests/sim/matrix.txt
loud sim-asan 180 build/asan/sim --seeds 1..1000 --jobs 2
loud sim-both 60 bash -c same_traces
for script in tests/e2e/*.sh; do
    name=$(basename "$script" .sh)
    [ "$name" = lib ] || loud "$name" 180 bash "$script"
done
loud bench-loss 120 tests/bench/loss.sh short
loud bench-speed 60 tests/bench/speed.sh smoke
loud conformance 120 tests/conformance.sh check $logs
loud hostile 60 tests/conformance/hostile.sh $logs

echo
echo "took $((SECONDS - began)) s; logs are in $logs/"
echo "twintun: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
