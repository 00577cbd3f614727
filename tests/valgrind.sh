#!/usr/bin/env bash
#
# The release build's units under valgrind's memcheck: no byte is read before it was written, none
# outside a block or behind its end, and nothing is lost. The sanitizers see the first only in part.
#
#   tests/valgrind.sh                 all but those named below: a minute on two cores
#   tests/valgrind.sh long            those that would double it, too
#   tests/valgrind.sh NAME...
#
# A line for each; on all cores, the longest first.

set -u
cd "$(dirname "$0")/.." || exit 1
logs=build/test/valgrind
mkdir -p $logs

# Not here, because what they show is other processes and their timing, which valgrind changes:
#   exec          whether a program can be started is not told the same way under valgrind
#   outlet        readers that are slow, against an alarm clock
#   capture_pipe  readers of captures, by the hundred thousand
#   trace_file    a reader that is stuck, and disks that are full
elsewhere=' exec outlet capture_pipe trace_file '
# The same many times over, which takes half a minute each; and tests of TCP once more, over IPv6.
long="tcp_sack teller hostile_storm chunk switch_repair $(cd build/release/unit 2>/dev/null && echo tcp6_*_test | sed 's/_test//g')"
longest='reasm share'

one()
{
    local log=$logs/$1.log

    if timeout 280 valgrind -q --error-exitcode=99 --leak-check=full --num-callers=8 \
        "build/release/unit/$1_test" >"$log" 2>&1; then
        echo "ok - valgrind: $1"
    else
        echo "not ok - valgrind: $1 ended with $?"
        grep -E '^==|ERROR|LINE' "$log" | head -n 30 | sed 's/^/    /'
    fi
}
export -f one
export logs

# names FIRST...: these, and all others but those that are long or not for here.
names()
{
    local t name

    printf '%s\n' "$@"
    for t in build/release/unit/*_test; do
        name=$(basename "$t" _test)
        case " $long $longest $elsewhere " in *" $name "*) ;; *) echo "$name" ;; esac
    done
}

if ! command -v valgrind >/dev/null; then
    echo "skip - valgrind: the units # valgrind is not installed"
    exit 77
fi
case ${1:-} in
'') names $longest ;;
long) names $long $longest ;;
*) printf '%s\n' "$@" ;;
esac |
    xargs -P "$(nproc)" -I NAME bash -c 'one NAME' | tee $logs/all
! grep -q '^not ok' $logs/all
