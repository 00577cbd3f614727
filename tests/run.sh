#!/usr/bin/env bash
#
# Every test, from what is quick and tells most to what is slow: walls, units, simulator, end to end.
# Called by `make test`, which has seen to the dependencies.
#
# A test says its results in lines: "ok - WHAT", "not ok - WHAT", "skip - WHAT # WHY". They are
# counted here. A test that ends with an error and has said nothing of it counts as one failure; one
# that ends with 77 could not run and counts as skipped. All output is kept in build/test/.
#
# What uses one processor, or mostly waits, runs side by side with another such (LANES=1: it does not).
# Their output is shown in the same order all the same, each test's in one piece.
#
# Ctrl-C stops everything at once. Tests make process groups (timeout does), which the terminal's
# signal does not reach. So each test is a session of its own, which whatever it starts belongs to;
# this script waits in `wait`, which a signal interrupts, and ends those sessions itself.

set -u
cd "$(dirname "$0")/.." || exit 1
logs=build/test
passed=0 failed=0 skipped=0
began=$SECONDS
declare -A sessions=() # of tests that run: a key for each, its first process
exec 4>&1

# First gently, so that a test can remove what it put into /tmp; then without asking. Gently is once
# for each process: timeout would pass it on, and end the rm that a test's own end has begun.
end_sessions()
{
    local tries=20 s leaders="${!sessions[*]}"

    for s in $leaders; do
        # shellcheck disable=SC2046
        kill -TERM $(pgrep -s "$s" | grep -vx "$s") 2>/dev/null
    done
    while pgrep -s "${leaders// /,}" >/dev/null && [ $((tries -= 1)) -gt 0 ]; do
        sleep 0.05
    done
    for s in $leaders; do
        pkill -KILL -s "$s"
        kill -KILL "$s" 2>/dev/null # which may not have come to be a session yet
        wait "$s" 2>/dev/null
    done
}

stopped()
{
    trap '' INT TERM HUP
    exec >&4 # where this is called, a test's log may stand in its place
    [ ${#sessions[@]} -eq 0 ] || end_sessions
    echo
    echo "twintun: stopped; nothing is left running"
    exit $((128 + $1))
}
trap 'stopped 2' INT
trap 'stopped 15' TERM
trap 'stopped 1' HUP

# begin SECONDS COMMAND...: start it; 124 will be its status if it takes longer. A shell makes what it
# starts with & deaf to SIGINT, which is not what a test of signals wants; env takes that back.
begin()
{
    setsid env --default-signal=INT,QUIT timeout -k 10 "$@" </dev/null 4>&- &
    begun=$!
    sessions[$begun]=1
}

# next_end: wait until one that was begun has ended. $ended is which, $code how. `wait -n` does not know
# of those that ended before it was called.
next_end()
{
    while :; do
        for ended in "${!sessions[@]}"; do
            [ ${#sessions[@]} -gt 1 ] && kill -0 "$ended" 2>/dev/null && continue
            wait "$ended"
            code=$?
            break 2
        done
        wait -n -p ended "${!sessions[@]}"
        code=$?
        [ -z "${ended-}" ] || break
        sleep 0.1
    done
    unset "sessions[$ended]"
}

# limited SECONDS COMMAND...: run it by itself.
limited()
{
    begin "$@"
    next_end
    return $code
}

# How many at a time. Older shells than 5.1 cannot say which of several has ended; and where a test gets
# no process namespace of its own, it sees the programs of others.
most_lanes()
{
    local userns=

    [ "$(id -u)" -eq 0 ] || userns=-Ur
    if [ $((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1])) -lt 501 ] || [ "$(nproc)" -lt 2 ] ||
        ! unshare $userns -nmpf --kill-child --mount-proc true 2>/dev/null; then
        echo 1
    else
        echo 2
    fi
}
lanes=${LANES:-$(most_lanes)}

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

# shown HOW NAME STATUS SECONDS: what the test NAME, which has ended, said: whole (loud), or in a line
# unless it failed (quiet).
shown()
{
    local before=$passed

    if [ "$1" = loud ]; then
        echo "== $2"
        cat "$logs/$2.log"
        tally "$2" "$3"
        echo "   ($4 s)"
    elif tally "$2" "$3"; then
        echo "$2: $((passed - before)) passed"
    else
        cat "$logs/$2.log"
    fi
}

# side_by_side: "loud|quiet NAME SECONDS COMMAND..." in each line of input, $lanes of them at a time. What
# they say is shown in the order of the lines.
side_by_side()
{
    local line how name limit command i next=0 turn=0
    local -a code_of began_at took
    local -A line_of

    mapfile -t line
    while [ $turn -lt ${#line[@]} ]; do
        while [ $next -lt ${#line[@]} ] && [ ${#sessions[@]} -lt "$lanes" ]; do
            read -r how name limit command <<<"${line[next]}"
            # shellcheck disable=SC2086
            begin "$limit" $command >"$logs/$name.log" 2>&1
            line_of[$begun]=$next began_at[next]=$SECONDS
            next=$((next + 1))
        done
        next_end
        i=${line_of[$ended]}
        code_of[i]=$code took[i]=$((SECONDS - began_at[i]))
        read -r how name limit command <<<"${line[i]}"
        [ "$code" -ne 124 ] || echo "not ok - $name took more than $limit s" >>"$logs/$name.log"
        while [ -n "${code_of[turn]-}" ]; do
            read -r how name limit command <<<"${line[turn]}"
            shown "$how" "$name" "${code_of[turn]}" "${took[turn]}"
            turn=$((turn + 1))
        done
    done
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

# Units run twice: as they ship, and with the sanitizers watching. Those with alarm clocks run alone.
units()
{
    local dir t name
    local alone=' outlet capture_pipe trace_file '

    export CMOCKA_MESSAGE_OUTPUT=TAP
    export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1} UBSAN_OPTIONS=print_stacktrace=1
    for dir in release asan; do
        echo "== units ($dir)"
        side_by_side < <(
            for t in "build/$dir/unit"/*_test; do
                name=$(basename "$t" _test)
                case $alone in *" $name "*) continue ;; esac
                [ ! -x "$t" ] || echo "quiet $name-$dir 120 $t"
            done
        )
        for name in $alone; do
            t=build/$dir/unit/${name}_test
            [ ! -x "$t" ] || side_by_side <<<"quiet $name-$dir 120 $t"
        done
    done
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

# Scripts that measure times, or fill the queues that all namespaces share, run alone; so do some that
# use the same files as others: those in build/ (demo), or the journals in /tmp (journal, netsetup).
e2e()
{
    local script name
    local alone=' demo flood impair journal netsetup stop '

    side_by_side < <(
        for script in tests/e2e/*.sh; do
            name=$(basename "$script" .sh)
            case " lib $alone " in *" $name "*) ;; *) echo "loud $name 180 bash $script" ;; esac
        done
    )
    for name in $alone; do
        [ ! -e "tests/e2e/$name.sh" ] || loud "$name" 180 bash "tests/e2e/$name.sh"
    done
}

build
loud lint 120 tests/lint.sh build/release
units
loud valgrind 600 tests/valgrind.sh
loud fuzz-short 300 tests/fuzz/run.sh short
side_by_side <<END
quiet census 10 build/release/sim --census 1..10000
loud bounds 120 build/release/sim --bounds
loud matrix 300 build/release/sim --matrix tests/sim/matrix.txt
loud fuzz 180 tests/fuzz/run.sh replay release
loud fuzz-asan 180 tests/fuzz/run.sh replay asan
END
loud sim 180 build/release/sim --seeds 1..10000 --jobs 2
loud sim-asan 180 build/asan/sim --seeds 1..1000 --jobs 2
loud sim-both 60 bash -c same_traces
e2e
loud bench-loss 120 tests/bench/loss.sh short
loud bench-many 60 tests/bench/many.sh 20000
loud bench-speed 60 tests/bench/speed.sh smoke
loud conformance 120 tests/conformance.sh check $logs
loud hostile 60 tests/conformance/hostile.sh $logs

echo
echo "took $((SECONDS - began)) s; logs are in $logs/"
echo "twintun: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
