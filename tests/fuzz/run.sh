#!/usr/bin/env bash
#
# Run the fuzzers of tests/fuzz/. One result line for each.
#
#   tests/fuzz/run.sh replay BUILD        every file of the corpus and a bounded number of seeded
#                                         mutations, without libFuzzer; BUILD is release or asan
#   tests/fuzz/run.sh short               libFuzzer for a moment, with the sanitizers
#   tests/fuzz/run.sh long RUNS [NAME]    libFuzzer for RUNS executions in all, on all cores: a tenth
#                                         with the sanitizers, the rest without, which is faster
#   tests/fuzz/run.sh corpus [NAME]       the corpus anew: the smallest set of short inputs that
#                                         reaches all that it and what long runs learnt reach
#
# What stopped a fuzzer is kept in build/test/fuzz/, and the line says how to see it again. What a long
# run learns is kept in build/fuzz-corpus/, so that the next goes on from there.

set -u
cd "$(dirname "$0")/../.." || exit 1
kept=build/test/fuzz
learnt=build/fuzz-corpus
mkdir -p $kept

# name | bytes of an input | ... in the corpus | mutations in a replay | percent of a long run
table='
ip     | 256  | 100 | 100000 | 19
icmp   | 256  | 100 | 100000 | 21
udp    | 256  | 100 | 100000 | 21
tcp    | 256  | 100 | 100000 | 21
print  | 1024 | 200 |  10000 | 4
reasm  | 512  | 200 |  10000 | 3
fragment | 256 | 100 | 20000 | 4
pmtu   | 256 | 100 |   1000 | 2
door   | 400  | 100 |  20000 | 7
pair   | 300  |  80 |   6000 | 2
'

# each FUNCTION ARGUMENTS...: call it for each fuzzer with its row behind the arguments.
each()
{
    local name len short mutations share

    while IFS='|' read -r name len short mutations share; do
        [ -z "${name// /}" ] || "$@" ${name// /} $len $short $mutations $share
    done <<<"$table"
}

all_are_listed()
{
    local f name

    for f in tests/fuzz/*_fuzz.c; do
        name=$(basename "$f" _fuzz.c)
        grep -q "^$name " <<<"$table" && [ -d "tests/fuzz/corpus/$name" ] ||
            echo "not ok - fuzz: $name has no row in tests/fuzz/run.sh or no corpus"
    done
}

# The sanitizers' word is in the log; a message of FUZZ_CHECK is its first line.
replay_one()
{
    local build=$1 name=$2 mutations=$5 log

    [ "$build" = asan ] && mutations=$((mutations / 4))
    log=$kept/$name-$build.log
    if "build/$build/fuzz/$name" --runs "$mutations" --keep "$kept/$name-$build.input" \
        "tests/fuzz/corpus/$name" >"$log" 2>&1; then
        sed "s/^ok - /ok - fuzz ($build): /" "$log"
    else
        echo "not ok - fuzz ($build): $name; again: build/$build/fuzz/$name $kept/$name-$build.input"
        head -n 40 "$log" | sed 's/^/    /'
    fi
}

have_libfuzzer()
{
    local probe=$kept/probe

    command -v clang >/dev/null || { echo "clang is not installed"; return 1; }
    echo 'int LLVMFuzzerTestOneInput(const unsigned char *b, unsigned long n) { return !b && n; }' >$probe.c
    clang -fsanitize=fuzzer,address,undefined -o $probe $probe.c >/dev/null 2>&1 ||
        { echo "clang has no libFuzzer here"; return 1; }
}

build_fuzzers()
{
    make --no-print-directory -j"$(nproc)" BUILD="$1" fuzzers >"$kept/build-$1.log" 2>&1 && return
    echo "not ok - fuzz: the $1 build failed"
    cat "$kept/build-$1.log"
    return 1
}

# libfuzz BUILD NAME LENGTH SEED OPTION...: one process of libFuzzer; it appends "NAME BUILD RUNS
# SECONDS" to $kept/counts, or says what it found.
libfuzz()
{
    local build=$1 name=$2 len=$3 seed=$4 log=$kept/$2-$1-$4.log began runs status
    shift 4

    mkdir -p "$learnt/$name"
    began=$(date +%s%N)
    "build/$build/fuzz/$name" -seed="$seed" -max_len="$len" -timeout=20 -print_final_stats=1 \
        -artifact_prefix="$kept/$name-$build-" "$@" >"$log" 2>&1
    status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    echo "$name $build ${runs:-0} $((($(date +%s%N) - began) / 1000000))" >>$kept/counts
    [ $status -eq 0 ] && return
    echo "not ok - fuzz: $name ($build, seed $seed) ended with $status; log: $log"
    grep -m 1 'Test unit written to' "$log" | sed 's/.*written to /    input: /'
}
export -f libfuzz
export kept learnt

# A share that ends by itself: the same seed, and what it learns goes to a directory of its own, not
# into the corpus (libFuzzer writes into the first it is given).
short_job()
{
    local name=$1 len=$2 seconds=1 new=$kept/$1-new

    case $name in door | pair) seconds=5 ;; esac
    rm -rf "$new"
    mkdir "$new"
    echo "libfuzz fuzz $name $len 1 -max_total_time=$seconds $new tests/fuzz/corpus/$name"
}

# Pieces of it, so that all cores have something to do until the end; each has its own seed.
long_jobs()
{
    local total=$1 only=$2 name=$3 len=$4 share=$7 runs piece i corpus

    [ -n "$only" ] && [ "$only" != "$name" ] && return
    [ -n "$only" ] && share=100
    corpus="$learnt/$name tests/fuzz/corpus/$name"
    mkdir -p "$learnt/$name"
    runs=$((total * share / 100))
    echo "libfuzz fuzz $name $len 1 -runs=$((runs / 10)) $corpus"
    piece=$(((runs - runs / 10 + 7) / 8))
    for i in 2 3 4 5 6 7 8 9; do
        echo "libfuzz fuzz-fast $name $len $i -entropic=0 -runs=$piece $corpus"
    done
}

merge_one()
{
    local only=$1 name=$2 short=$4 corpus=tests/fuzz/corpus/$2 new f

    [ -n "$only" ] && [ "$only" != "$name" ] && return
    new=$(mktemp -d) || return
    mkdir -p "$learnt/$name"
    "build/fuzz-fast/fuzz/$name" -set_cover_merge=1 -max_len="$short" "$new" "$corpus" "$learnt/$name" \
        >"$kept/$name-merge.log" 2>&1 || { echo "not ok - fuzz: merging $name"; return; }
    rm -f "$corpus"/*
    for f in "$new"/*; do
        cp "$f" "$corpus/$(basename "$f" | cut -c 1-10)"
    done
    rm -rf "$new"
    echo "ok - fuzz: $name has $(ls "$corpus" | wc -l) files, $(cat "$corpus"/* | wc -c) bytes"
}

# Run the jobs on standard input on all cores, and say the sum for each fuzzer.
run_jobs()
{
    rm -f $kept/counts
    xargs -P "$(nproc)" -I JOB bash -c 'JOB' | tee $kept/found
    awk '{ runs[$1] += $3; ms[$1] += $4; total += $3
           r[$1 " " $2] += $3; t[$1 " " $2] += $4 }
         END {
             for (n in runs) {
                 printf "1 " # so that the sum stands behind them
                 printf "%s: %d executions", n, runs[n]
                 for (b in r)
                     if (index(b, n " ") == 1 && t[b] > 0)
                         printf ", %s %d a second", substr(b, length(n) + 2), r[b] * 1000 / t[b]
                 print ""
             }
             printf "2 in all: %d executions\n", total
         }' $kept/counts | sort | sed 's/^../ok - fuzz: /'
    ! grep -q '^not ok' $kept/found
}

case ${1:-} in
replay)
    all_are_listed
    each replay_one "$2"
    ;;
short)
    why=$(have_libfuzzer) || { echo "skip - fuzz: libFuzzer # $why"; exit 77; }
    build_fuzzers fuzz || exit 1
    each short_job | run_jobs
    ;;
long)
    [[ ${2:-} =~ ^[1-9][0-9]{0,14}$ ]] || { echo "not ok - fuzz: RUNS is '${2:-}', not a number"; exit 2; }
    if [ -n "${3:-}" ] && [ ! -f "tests/fuzz/${3}_fuzz.c" ]; then
        echo "not ok - fuzz: there is no fuzzer '$3'"
        exit 2
    fi
    why=$(have_libfuzzer) || { echo "skip - fuzz: libFuzzer # $why"; exit 77; }
    build_fuzzers fuzz && build_fuzzers fuzz-fast || exit 1
    each long_jobs "$2" "${3:-}" | run_jobs
    ;;
corpus)
    why=$(have_libfuzzer) || { echo "skip - fuzz: libFuzzer # $why"; exit 77; }
    build_fuzzers fuzz-fast || exit 1
    each merge_one "${2:-}"
    ;;
*)
    sed -n '3,/^$/s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
