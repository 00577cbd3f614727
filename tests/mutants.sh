#!/usr/bin/env bash
#
# `make mutants`: is the simulator any good? Each fault of tests/mutants/list.txt is put into a copy
# of the tree, one at a time, the simulator is built there and plays seeds until one fails, and after
# the first of them the bounds. A fault that neither finds is a hole in the simulator.
#
#   tests/mutants.sh [NAME...]      all, or only these; SEEDS=N is how many may be needed (20000),
#                                   SHRINK=1 makes each run that fails small
#   tests/mutants.sh --check        only whether each old text stands exactly once in its file

set -u
cd "$(dirname "$0")/.." || exit 1
list=tests/mutants/list.txt
seeds=${SEEDS:-20000}
few=$((seeds < 2000 ? seeds : 2000))
work=build/mutants
failed=0

for name in "$@"; do
    [ "$name" = --check ] && break
    if ! grep -q "^\[$name\]" $list; then
        echo "not ok - $name: no such fault in $list"
        exit 2
    fi
done
# part NAME WHAT: the file, the old or the new text of one fault
part()
{
    awk -v name="$1" -v what="$2" '
        /^#/ { next }
        /^\[/ { here = $0 ~ "^\\[" name "\\]"; said = 0; next }
        !here || /^$/ { next }
        !said { said = 1; if (what == "file") print; next }
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
        }' "$3" >"$work/new" && cp "$work/new" "$3"
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

# Two runs in one tree would take each other's copy away.
mkdir -p build || exit 1
exec 9>build/mutants.lock
flock -n 9 || { echo "not ok - mutants: it runs already in this tree"; exit 1; }
rm -rf $work
mkdir -p $work/tree/build || exit 1
# Objects that are up to date stay so: one file is compiled for each fault.
make --no-print-directory build/release/sim >/dev/null || exit 1
cp -a Makefile common tests host peer netsetup $work/tree/
cp -a build/release $work/tree/build/

# try NAME SENTENCE
try()
{
    local file result seed bound

    file=$(part "$1" file)
    part "$1" old >$work/old.txt
    part "$1" new >$work/new.txt
    if ! replace $work/old.txt $work/new.txt "$work/tree/$file"; then
        echo "not ok - $1: the old text does not stand once in $file"
        return 1
    fi
    touch "$work/tree/$file"
    if ! make -C $work/tree --no-print-directory build/release/sim >$work/build.log 2>&1; then
        echo "not ok - $1: does not compile"
        tail -3 $work/build.log
        result=1
    else
        $work/tree/build/release/sim --seeds 1.."$few" --first >$work/run.log 2>&1
        bound=
        if ! grep -q '^not ok' $work/run.log; then
            bound=$(timeout 120 $work/tree/build/release/sim --bounds | sed -n 's/^not ok - bound //p' | head -1)
            [ -n "$bound" ] ||
                $work/tree/build/release/sim --seeds "$few".."$seeds" --first >$work/run.log 2>&1
        fi
        seed=$(sed -n 's/^not ok - seed \([0-9]*\) .*/\1/p' $work/run.log | head -1)
        if [ -n "$bound" ]; then
            echo "ok - $1: $2; bound: $bound"
            result=0
        elif [ -n "$seed" ]; then
            echo "ok - $1: $2; seeds needed: $seed"
            sed -n 's/^not ok - seed [0-9]* \(.*\); replay.*/       \1/p' $work/run.log | head -1
            [ -z "${SHRINK:-}" ] || $work/tree/build/release/sim --seed "$seed" --shrink | grep '^#'
            result=0
        else
            echo "not ok - $1: $2; not found in $seeds seeds"
            result=1
        fi
    fi
    cp -a "$file" "$work/tree/$file"
    touch "$work/tree/$file"
    return $result
}

while read -r name sentence; do
    name=${name#[} name=${name%]}
    [ $# -eq 0 ] || [[ " $* " = *" $name "* ]] || continue
    try "$name" "$sentence" || failed=1
done < <(grep '^\[' $list)
exit $failed
