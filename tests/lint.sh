#!/usr/bin/env bash
#
# The walls, checked by machine: `make lint`. One line per check on standard output, with the
# offences indented beneath; exit 1 if any check failed. A check whose tool is absent is skipped and
# says so.
#
#   tests/lint.sh OBJECT_DIR      where the release objects of common/ lie (build/release)

set -u
cd "$(dirname "$0")/.." || exit 1
objects=${1:-build/release}
failed=0
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

# verdict NAME: $tmp/out holds the offences, one per line; none is good.
verdict()
{
    if [ -s "$tmp/out" ]; then
        echo "not ok - lint: $1"
        sed 's/^/    /' "$tmp/out"
        failed=1
    else
        echo "ok - lint: $1"
    fi
}

skip()
{
    echo "skip - lint: $1 # $2"
}

sources()
{
    find common host peer netsetup tests \( -name '*.c' -o -name '*.h' \) 2>/dev/null | sort
}

core_sources()
{
    find common/{base,wire,ip,tcp,stack,app} -name "*.$1" 2>/dev/null | sort
}

check_floors()
{
    sources | xargs awk -f tests/lint/floors.awk >"$tmp/out"
    verdict "includes point to their own folder or a lower floor"
}

check_node_size()
{
    : >"$tmp/out"
    for node in host peer; do
        lines=$(cat $node/*.c $node/*.h 2>/dev/null | wc -l)
        [ "$lines" -le 200 ] || echo "$node/ has $lines lines" >>"$tmp/out"
    done
    verdict "host/ and peer/ are glue, at most 200 lines each"
}

# Headers are compiled on their own too: each must stand by itself.
check_plain_c11()
{
    local flags="-std=c11 -Icommon -I. -fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Wconversion
        -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wformat=2 -Wvla -Werror"

    for cc in gcc clang; do
        if ! command -v $cc >/dev/null; then
            skip "the core is plain C11 for $cc" "$cc is not installed"
            continue
        fi
        { core_sources c; core_sources h; } | grep -v '\.def$' | while read -r f; do
            case $f in
            *.h) printf '#include "%s"\ntypedef int lint_unit;\n' "${f#common/}" >"$tmp/$(echo "$f" | tr / _).c" ;;
            esac
        done
        # shellcheck disable=SC2046,SC2086
        { core_sources c; find "$tmp" -name '*.c'; } |
            xargs -P "$(nproc)" -n 8 $cc $flags >"$tmp/out" 2>&1
        verdict "the core is plain C11 for $cc, each header by itself"
    done
}

# gcc builds everything anyway; clang warns of other things.
check_clang()
{
    local flags="-std=gnu11 -D_GNU_SOURCE -Icommon -I. -fsyntax-only -Wall -Wextra -Wpedantic -Wshadow
        -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wformat=2 -Wvla -Werror"

    if ! command -v clang >/dev/null; then
        skip "everything else compiles with clang" "clang is not installed"
        return
    fi
    # shellcheck disable=SC2046,SC2086
    sources | grep '\.c$' | grep -vE '^common/(base|wire|ip|tcp|stack|app)/' |
        xargs -P "$(nproc)" -n 8 clang $flags $(pkg-config --cflags libnl-3.0) >"$tmp/out" 2>&1
    verdict "everything else compiles with clang"
}

check_symbols()
{
    local objs defined

    objs=$(find "$objects"/common/{base,wire,ip,tcp,stack,app} -name '*.o' 2>/dev/null)
    if [ -z "$objs" ]; then
        skip "the core's undefined symbols" "no objects in $objects; run 'make build' first"
        return
    fi
    # shellcheck disable=SC2086
    nm -A --defined-only $objs | awk '{ print $NF }' | sort -u >"$tmp/defined"
    # Hardened compilers call __memcpy_chk for memcpy: the same function.
    # shellcheck disable=SC2086
    nm -A -u $objs | awk '{ sub(/:.*/, "", $1); print $NF, $1 }' |
        sed -E 's/^__([a-z]+)_chk /\1 /' | sort -u >"$tmp/wanted"
    grep -v '^#' tests/lint/symbols.txt >"$tmp/allowed"
    awk 'NR == FNR { ok[$1] = 1; next } !($1 in ok) { print $2 ": wants " $1 }' \
        <(cat "$tmp/defined" "$tmp/allowed") "$tmp/wanted" >"$tmp/out"
    verdict "the core asks nothing of the system beyond tests/lint/symbols.txt"
}

check_format()
{
    local tool

    tool=$(command -v clang-format-14 || command -v clang-format)
    case $("${tool:-false}" --version 2>/dev/null) in
    *"version 14."*) ;;
    *)
        skip "layout" "clang-format 14 is not installed, and other versions lay out differently"
        return
        ;;
    esac
    sources | xargs -P "$(nproc)" -n 16 "$tool" --dry-run -Werror >"$tmp/raw" 2>&1
    grep 'error:' "$tmp/raw" | sed 's/ \[-W.*//' | sort -u >"$tmp/out"
    verdict "layout is what 'make format' gives"
}

check_length()
{
    sources | xargs awk -f tests/lint/length.awk >"$tmp/long"
    awk 'NR == FNR { if ($1 !~ /^#/) may[$1 " " $2] = 1; next }
         !(($1 " " $2) in may) { print $1 ": " ($2 == "-" ? "the file" : $2) " has " $3 " lines" }' \
        tests/lint/long.txt "$tmp/long" >"$tmp/out"
    verdict "functions have at most 70 lines and files at most 600"
}

check_words()
{
    # The words are written so that this line does not find itself.
    git ls-files -z 2>/dev/null | xargs -0 grep -nIwE 'TO''DO|FIX''ME|XX''X|HA''CK' >"$tmp/out" 2>/dev/null
    verdict "nothing is left to be done later"
}

# What a shell would have to quote is here by mistake.
check_names()
{
    git ls-files 2>/dev/null | grep -v '^[A-Za-z0-9._/-]*$' >"$tmp/out"
    verdict "files have plain names"
}

# The documents tell to run each of these by its name, and testing.md has a row for each.
check_scripts()
{
    local script name

    for script in tests/e2e/*.sh; do
        name=$(basename "$script")
        [ "$name" != lib.sh ] || continue
        [ -x "$script" ] || echo "$script cannot be executed"
        grep -q "^| \`$name\`" docs/testing.md || echo "$script has no row in docs/testing.md"
    done >"$tmp/out"
    verdict "each end-to-end script can be run and is described"
}

# A fault whose text has changed or stands twice can no longer be put in.
check_mutants()
{
    tests/mutants.sh --check >"$tmp/out" 2>&1
    verdict "each fault of tests/mutants/list.txt can be put into the stack"
}

# The module of docs/congestion.md compiles as it stands there, and has no more lines than it says.
check_example()
{
    awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' docs/congestion.md >"$tmp/example.c"
    sed -i 's/^const struct cc_ops cc_gentle/extern const struct cc_ops cc_gentle;\n&/' "$tmp/example.c"
    gcc -std=c11 -Icommon -I. -c -o /dev/null -Wall -Wextra -Wpedantic -Wshadow -Wconversion \
        -Wstrict-prototypes -Wmissing-prototypes -Werror "$tmp/example.c" >"$tmp/out" 2>&1
    lines=$(wc -l <"$tmp/example.c")
    [ "$lines" -gt 1 ] && [ "$lines" -le 51 ] || echo "the example has $lines lines" >>"$tmp/out"
    verdict "the congestion module of docs/congestion.md compiles, in 50 lines"
}

check_cppcheck()
{
    if ! command -v cppcheck >/dev/null; then
        skip "cppcheck" "cppcheck is not installed"
        return
    fi
    cppcheck -q -j "$(nproc)" --std=c11 -Icommon -I. \
        --include=tests/lint/cppcheck.h \
        --enable=warning,portability \
        --inline-suppr --suppress=missingIncludeSystem --template='{file}:{line}: {message}' \
        common host peer netsetup 2>"$tmp/out" >/dev/null
    verdict "cppcheck finds nothing"
}

check_floors
check_node_size
check_plain_c11
check_clang
check_symbols
check_format
check_length
check_words
check_names
check_scripts
check_mutants
check_example
check_cppcheck
exit $failed
