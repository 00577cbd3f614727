#!/usr/bin/env bash
#
# `make mutants`: is the simulator any good? Each fault of tests/mutants/list.txt is put into a copy
# of the tree, one at a time in each, and the simulator is built there: it plays 2,000 seeds until
# one fails, then the bounds, then more seeds. A fault that none of it finds is a hole in the
# simulator. Where the list names a bound that finds the fault, that one is tried first, for it takes
# less time than the seeds.
#
#   tests/mutants.sh [NAME...]      all, or only these; SEEDS=N is how many may be needed (20000),
#                                   SHRINK=1 makes each run that fails small, JOBS=N is how many are
#                                   tried at a time (as many as there are processors)
#   tests/mutants.sh --check        only whether each old text stands exactly once in its file

set -u
cd "$(dirname "$0")/.." || exit 1
list=tests/mutants/list.txt
seeds=${SEEDS:-20000}
few=$((seeds < 2000 ? seeds : 2000))
work=build/mutants
jobs=${JOBS:-$(nproc)}
mine=$work/${SLOT:-0} # what one of several at a time has to itself

for name in "$@"; do
    case $name in --*) break ;; esac
    if ! grep -q "^\[$name\]" $list; then
        echo "not ok - $name: no such fault in $list"
        exit 2
    fi
done
# part NAME WHAT: the file, the bounds that find it, the old or the new text of one fault
part()
{
    awk -v name="$1" -v what="$2" '
        /^#/ { next }
        /^\[/ { here = $0 ~ "^\\[" name "\\]"; said = 0; next }
        !here || /^$/ { next }
        !said { said = 1; if (what == "file") print; next }
        what == "bounds" && /^bound / { print $2 }
        what == "old" && /^-/ || what == "new" && /^\+/ { print substr($0, 2) }' $list
}

# Replace the text of one file by that of another in a third, where it must stand exactly once.
replace()
{
    awk -v old="$(cat "$1")" -v new="$(cat "$2")" '
        BEGIN { RS = "^$" }
        {
            at = index($0, old)
            if (!at || index(substr($0, at + 1), old))
                exit 1
            printf "%s%s%s", substr($0, 1, at - 1), new, substr($0, at + length(old))
        }' "$3" >$mine/new && cp $mine/new "$3"
}

# How often the old text of a fault stands in its file.
stands()
{
    awk -v old="$(part "$1" old)" '
        BEGIN { RS = "^$" }
        { while (old != "" && (at = index($0, old))) { n++; $0 = substr($0, at + 1) } }
        END { print n + 0 }' "$(part "$1" file)"
}

if [ "${1:-}" = --check ]; then
    while read -r name _; do
        name=${name#[} name=${name%]}
        [ "$(stands "$name")" = 1 ] ||
            echo "$list: [$name]: its text stands $(stands "$name") times in $(part "$name" file)"
    done < <(grep '^\[' $list)
    exit 0
fi

# put NAME: the fault goes into the copy of this worker, and the simulator is built there
put()
{
    local file

    file=$(part "$1" file)
    part "$1" old >$mine/old.txt
    part "$1" new >$mine/new.txt
    if ! replace $mine/old.txt $mine/new.txt "$mine/tree/$file"; then
        echo "not ok - $1: the old text does not stand once in $file"
        return 1
    fi
    touch "$mine/tree/$file"
    make -C $mine/tree --no-print-directory build/release/sim >$mine/build.log 2>&1 && return
    echo "not ok - $1: does not compile"
    tail -3 $mine/build.log
    return 1
}

# bound [NAME]: the first bound that fails, of all or this one
bound()
{
    timeout 300 $mine/tree/build/release/sim --bounds "$@" | sed -n 's/^not ok - bound \([a-z0-9_]*\).*/\1/p' |
        head -1
}

# seed FROM..TO: the first that fails
seed()
{
    $mine/tree/build/release/sim --seeds "$1" --first >$mine/run.log 2>&1
    sed -n 's/^not ok - seed \([0-9]*\) .*/\1/p' $mine/run.log | head -1
}

# look NAME SENTENCE: which seed or bound finds the fault that was put there?
look()
{
    local at= name

    for name in $(part "$1" bounds); do
        [ -n "$at" ] || at=$(bound "$name")
    done
    if [ -z "$at" ]; then
        at=$(seed 1..$few)
        [ -n "$at" ] || at=$(bound)
        [ -n "$at" ] || at=$(seed "$few..$seeds")
    fi
    case $at in
    '')
        echo "not ok - $1: $2; not found in $seeds seeds"
        return 1
        ;;
    *[!0-9]*)
        echo "ok - $1: $2; bound: $at"
        ;;
    *)
        echo "ok - $1: $2; seeds needed: $at"
        sed -n 's/^not ok - seed [0-9]* \(.*\); replay.*/       \1/p' $mine/run.log | head -1
        [ -z "${SHRINK:-}" ] || $mine/tree/build/release/sim --seed "$at" --shrink | grep '^#'
        ;;
    esac
}

# try NAME: what it says is said at once, so that two do not mix
try()
{
    local sentence file object said result

    sentence=$(sed -n "s/^\[$1\] //p" $list)
    file=$(part "$1" file)
    object=build/release/${file%.c}.o
    said=$(put "$1" && look "$1" "$sentence")
    result=$?
    echo "$said"
    cp -a "$file" "$mine/tree/$file"
    case $file in # with their times, so that they are not compiled again
    *.h) # whoever includes it
        cp -a build/release/common $mine/tree/build/release/
        cp -a build/release/tests/sim $mine/tree/build/release/tests/
        ;;
    *) cp -a "$object" "$mine/tree/$object" ;;
    esac
    return $result
}

if [ "${1:-}" = --one ]; then
    try "$2"
    exit
fi

# Two runs in one tree would take each other's copies away.
mkdir -p build || exit 1
exec 9>build/mutants.lock
flock -n 9 || { echo "not ok - mutants: it runs already in this tree"; exit 1; }
rm -rf $work
# Objects that are up to date stay so: one file is compiled for each fault.
make --no-print-directory build/release/sim >/dev/null || exit 1
for ((i = 0; i < jobs; i++)); do
    mkdir -p $work/$i/tree/build/release/tests || exit 1
    cp -a Makefile common tests host peer netsetup $work/$i/tree/
    cp -a build/release/common build/release/sim build/release/libtwintun.a $work/$i/tree/build/release/
    cp -a build/release/tests/sim $work/$i/tree/build/release/tests/
done
sed -n 's/^\[\([^]]*\)\] .*/\1/p' $list | while read -r name; do
    [ $# -eq 0 ] || [[ " $* " = *" $name "* ]] || continue
    echo "$name"
done | xargs -P "$jobs" --process-slot-var=SLOT -I NAME tests/mutants.sh --one NAME
[ $? -eq 0 ]
