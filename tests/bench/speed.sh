#!/usr/bin/env bash
#
# make bench: twintun beside the raw device, kernel TCP and lwIP, on this machine, in one run.
#
#   raw, lwip, twintun:  === tun0 [here, forwards] tun1 ===      NOTRACK, as netsetup makes it
#   kernel TCP:          [ka] === veth [kr, forwards] veth === [kb]
#
# All take turns, so that noise hits all alike; what counts are ratios within one run. The one who
# asks has one processor, the one who answers another. Each figure is the median of $RUNS turns of
# $TIME seconds. The table goes to the terminal, all figures to $OUT.json, a picture to $OUT.svg. Keys
# are in keys.txt, ratios and their bounds in ratios.txt, and docs/performance.md says what they mean.
#
#   tests/bench/speed.sh [quick|smoke]
#
# quick is for a minute; smoke, which `make test` runs, is much too short for figures, and checks that
# all of them come, and that those do who are not skipped with a reason.

# Two at once would share the processors, and the folder of what they find: one waits for the other.
if [ -z "${TWINTUN_INSIDE-}" ]; then
    mkdir -p "$(dirname "$0")/../../build/test"
    exec 9>"$(dirname "$0")/../../build/test/bench.lock" || exit 1
    if ! flock -n 9; then
        echo "bench: another one runs here; waiting for its end" >&2
        flock 9
    fi
fi

. "$(dirname "$0")/../e2e/lib.sh"
need_tun
need taskset
renice -n -15 $$ >/dev/null 2>&1 # what else runs in this session goes behind all of them, as root
HOW=${1-full}
case $HOW in
full) : "${RUNS=5}" "${TIME=1}" "${CONNS=8000}" "${MANY=1000000}" "${SEGMENTS=2000000}" "${IDLE=1000000}" ;;
quick) : "${RUNS=3}" "${TIME=0.3}" "${CONNS=3000}" "${MANY=1000000}" "${SEGMENTS=1000000}" "${IDLE=15000}" ;;
smoke) : "${RUNS=1}" "${TIME=0.03}" "${CONNS=50}" "${MANY=2000}" "${SEGMENTS=2000}" "${IDLE=1100}" ;;
*)
    echo "bench: '$HOW' is neither quick nor smoke" >&2
    exit 2
    ;;
esac
BATCH=32 # connections that are asked at once in the core alone
B=${BENCH:-build/release/bench}
OUT=build/bench
[ "$HOW" != smoke ] || OUT=$WORK/bench
began=$SECONDS
samples=$WORK/samples why=$WORK/why
: >"$samples"
: >"$why"

# The first two processors that we may use; or one, twice.
near='' far=''
for cpu in $(seq 0 $(($(nproc --all) - 1))); do
    taskset -c "$cpu" true 2>/dev/null || continue
    [ -n "$near" ] || near=$cpu
    far=$cpu
    [ "$near" = "$far" ] || break
done

# cannot KEY REASON: the key has no figure, or none as one would wish, for this reason.
cannot()
{
    grep -q "^$1 " "$why" || echo "$1 $2" >>"$why"
}

# take "KEY=WORD..." COMMAND...: run it; the figure behind WORD in its output is one of KEY.
take()
{
    local keys=$1 pair status
    shift

    # In our process group, where Ctrl-C reaches it.
    timeout --foreground 60 "$@" >"$WORK/out" 2>"$WORK/err"
    status=$?
    if [ $status -ne 0 ]; then
        for pair in $keys; do
            cannot "${pair%=*}" "$(sed -n 's/^skip //p; t; q' "$WORK/out" | grep . ||
                tail -1 "$WORK/err" | grep . || echo "it ended with $status")"
        done
        [ $status -eq 77 ] || not_ok "$*" "ended with $status" "$(cat "$WORK/out" "$WORK/err")"
        return
    fi
    for pair in $keys; do
        awk -v key="${pair%=*}" -v word="${pair#*=}" \
            '$1 == word { print key, $2; n++ } END { exit !n }' "$WORK/out" >>"$samples" ||
            not_ok "$* says nothing of ${pair#*=}" "$(cat "$WORK/out")"
    done
}

# ---- The device ----

# As twintun does it: what is compared with one that spins, spins.
turn_raw()
{
    take "bulk.raw_gbps=gbps" "$B/raw" bulk-spin "$TIME"
    take "bulk.raw_sleep_gbps=gbps" "$B/raw" bulk "$TIME"
    take "mss.raw_mpps=mpps" "$B/raw" mss "$TIME"
    take "mss.raw_small_mpps=mpps" "$B/raw" small "$TIME"
    take "rr.raw_sleep_us=us" "$B/raw" rr "$TIME"
    take "rr.raw_spin_us=us" "$B/raw" rr-spin "$TIME"
}

# ---- Kernel TCP ----

# wire END N: a namespace of its own, 10.9.N.2, behind the router, with all offloads.
wire()
{
    ip netns add "$1" && ip -n kr link add "$1" type veth peer name wire netns "$1" &&
        ip -n kr addr add "10.9.$2.1/24" dev "$1" && ip -n kr link set "$1" up &&
        ip -n "$1" addr add "10.9.$2.2/24" dev wire && ip -n "$1" link set wire up &&
        ip -n "$1" route add default via "10.9.$2.1"
}

# A router of its own: in this namespace, netsetup's rules make the kernel follow connections.
wires()
{
    ip netns add kr && wire ka 1 && wire kb 2 &&
        ip netns exec kr sysctl -qw net.ipv4.ip_forward=1
}

# Each turn has a port of its own, so that what is in TIME-WAIT is in nobody's way.
kernel_up()
{
    local port what

    if ! wires 2>"$WORK/wires.err"; then
        for key in bulk.kernel_gbps rr.kernel_us rr.kernel_one_cpu_us rr.kernel_spin_us \
            conn.kernel_per_s conn.kernel_64_per_s; do
            cannot $key "no namespaces and veth here: $(tail -1 "$WORK/wires.err")"
        done
        return
    fi
    kernel_there=yes
    for port in 7 17 27 $(seq 9001 $((9000 + 2 * RUNS))); do
        case $port in
        7 | 17) what=echo ;;
        27) what=echo-spin ;; # it sleeps as long as nobody is connected
        *) what=sink ;;
        esac
        ip netns exec kb taskset -c "$([ "$port" = 17 ] && echo "$near" || echo "$far")" \
            "$B/kernel" serve 10.9.2.2 "$port" $what \
            </dev/null >"$WORK/kernel$port" 2>&1 &
    done
    for port in 7 17 27 $(seq 9001 $((9000 + 2 * RUNS))); do
        wait_for 5 grep -q listening "$WORK/kernel$port"
    done
}

turn_kernel()
{
    local port=$((8999 + 2 * $1))

    [ -n "$kernel_there" ] || return
    kernel() { take "$1" ip netns exec ka taskset -c "$near" "$B/kernel" "${@:2}"; }
    kernel "bulk.kernel_gbps=gbps" bulk 10.9.2.2 $port "$TIME"
    kernel "rr.kernel_us=us" rr 10.9.2.2 7 "$TIME"
    kernel "rr.kernel_one_cpu_us=us" rr 10.9.2.2 17 "$TIME"
    kernel "rr.kernel_spin_us=us" rr-spin 10.9.2.2 27 "$TIME"
    kernel "conn.kernel_per_s=per_s" conn 10.9.2.2 $port "$CONNS" 1
    kernel "conn.kernel_64_per_s=per_s" conn 10.9.2.2 $((port + 1)) "$CONNS" 64
}

# ---- lwIP ----

turn_lwip()
{
    local server

    taskset -c "$far" "$B/lwip" serve tun1 $peer_at $host_at 60 </dev/null >"$WORK/lwip" 2>&1 &
    server=$!
    wait_for 2 grep -qE 'listening|skip' "$WORK/lwip"
    take "bulk.lwip_gbps=gbps" taskset -c "$near" "$B/lwip" bulk tun0 $host_at $peer_at "$TIME"
    take "rr.lwip_us=us" taskset -c "$near" "$B/lwip" rr tun0 $host_at $peer_at "$TIME"
    stop $server
}

# ---- twintun ----

spin='--busy-poll 10ms' # longer than any pause of what is measured

# server OPTION...: an ordinary peer on its processor. It says nothing of connections at port 7 and 9.
server()
{
    rm -f "$WORK/peer.err"
    taskset -c "$far" $peer_by "$BIN/peer" "$@" tun1 $peer_side/$prefix $host_at </dev/null >/dev/null \
        2>"$WORK/peer.err" &
    peer=$!
    wait_for 5 grep -q " ready on " "$WORK/peer.err" && return
    not_ok "peer starts" "$(cat "$WORK/peer.err")"
    finish
}

client() { take "$1" taskset -c "$near" "$B/client" "${@:2}" --quiet tun0 $host_side/$prefix $peer_at; }

# Small packets go without offload, which is of no use to them.
turn_twintun()
{
    server --offload off
    client "bulk.twintun_plain_gbps=gbps mss.twintun_mpps=mpps
        mss.twintun_both_ways_mpps=packets_mpps" --offload off --bulk "$TIME" --port 9
    client "rr.twintun_sleep_us=us" --offload off --rr "$TIME" --port 7
    client "conn.twintun_sleep_per_s=per_s" --offload off --conns "$CONNS" --port 9
    client "conn.twintun_64_sleep_per_s=per_s" --offload off --conns "$CONNS" --flight 64 --port 9
    stop $peer
    server
    client "bulk.twintun_sleep_gbps=gbps" --bulk "$TIME" --port 9
    stop $peer
    # shellcheck disable=SC2086
    {
        server $spin
        client "bulk.twintun_gbps=gbps" $spin --bulk "$TIME" --port 9
        stop $peer
        server --offload off $spin
        client "rr.twintun_spin_us=us" --offload off $spin --rr "$TIME" --port 7
        client "conn.twintun_per_s=per_s" --offload off $spin --conns "$CONNS" --port 9
        client "conn.twintun_64_per_s=per_s" --offload off $spin --conns "$CONNS" --flight 64 --port 9
    }
    stop $peer
}

# Memory is no matter of chance, without large pages: once. The one that has more is the figure.
turn_idle()
{
    local locals peer_by=$B/pages

    locals=$(seq -f '--local 10.0.0.%.0f' 10 $((10 + IDLE / 33000))) # each has 64,512 ports
    server --max-connections $((IDLE + IDLE / 8 + 1))
    # shellcheck disable=SC2086
    taskset -c "$near" "$peer_by" "$B/client" --idle "$IDLE" --watch "$peer" --port 9 $locals \
        --quiet tun0 $host_side/$prefix $peer_at >"$WORK/idle" 2>"$WORK/err" ||
        not_ok "idle connections" "$(cat "$WORK/err")"
    awk '$1 == "conns" { print "idle.connections", $2 } $1 ~ /bytes/ && $2 > most { most = $2 }
        END { if (most) print "idle.bytes_per_connection", most }' "$WORK/idle" >>"$samples"
    stop $peer KILL # it would wait for ends whose resets the queue had no room for
}

# ---- The core alone ----

turn_core()
{
    take "core.ns_per_segment=ns" taskset -c "$near" "$B/core" 1000 "$SEGMENTS" "$BATCH"
    take "core.ns_per_segment_alone=ns" taskset -c "$near" "$B/core" 1000 "$SEGMENTS"
}

turn_million()
{
    local idle="idle.core_bytes_per_connection=bytes idle.core_connections=conns"

    take "core.ns_per_segment_1m=ns core.ns_per_segment_1m_first=first $idle" \
        taskset -c "$near" "$B/core" "$MANY" $((3 * MANY)) "$BATCH"
    if [ "$HOW" = quick ]; then
        cannot core.ns_per_segment_1m_alone "only measured by the whole bench"
        return
    fi
    take "core.ns_per_segment_1m_alone=ns" taskset -c "$near" "$B/core" "$MANY" $((3 * MANY))
}

# The instructions of a run less those of a shorter one: what is only done once does not count.
instructions()
{
    local few=2000 many=6000

    if ! command -v valgrind >/dev/null; then
        cannot core.instructions_per_segment "valgrind is not installed: netsetup/deps.sh extra"
        return
    fi
    for n in $few $many; do
        valgrind --tool=callgrind --callgrind-out-file=/dev/null "$B/core" 50 $n 2>&1 |
            awk '/Collected/ { ir = $NF } $1 == "segments" { n = $2 } END { print ir, n }'
    done | awk '{ ir = $1 - ir; n = $2 - n } END { if (n > 0) print "core.instructions_per_segment", ir / n }' \
        >>"$samples"
}

# instructions.txt has what they were, and by which compiler: no noise, so every change is one of ours.
compare_instructions()
{
    local now was

    now=$(awk '$1 == "core.instructions_per_segment" { printf "%.0f", $2 }' "$samples")
    was=$(awk -v cc="$(cc --version | head -1)" '/^#/ { next } { n = $1; sub(/^[0-9]+ +/, "") }
        $0 == cc { print n }' tests/bench/instructions.txt)
    [ -n "$now" ] || return
    if [ -n "$was" ]; then
        echo "instructions per segment: $now, and $was are stored ($((1000 * (now - was) / was)) per mille more)"
    else
        echo "instructions per segment: $now; none are stored of this compiler:" \
            "echo '$now $(cc --version | head -1)' >>tests/bench/instructions.txt"
    fi
}

# ---- One run ----

net_up
kernel_there=''
kernel_up
for run in $(seq "$RUNS"); do
    turn_raw
    turn_kernel "$run"
    turn_lwip
    turn_twintun
    turn_core
done
turn_idle
turn_million
[ "$HOW" = smoke ] || [ "$HOW" = quick ] || instructions
[ "$HOW" = full ] || cannot core.instructions_per_segment "only counted by the whole bench"

cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)
head="$(date +%Y-%m-%d), $(nproc) x ${cpu:-unknown}, Linux $(uname -r), medians of $RUNS turns of $TIME s"
report()
{
    awk -v form="$1" -v head="$head" -f tests/bench/report.awk tests/bench/keys.txt \
        tests/bench/ratios.txt "$why" "$samples"
}
echo "# for awk, which needs a line" | tee -a "$why" >>"$samples"
save()
{
    report "$1" >"$OUT.$1.new" && mv "$OUT.$1.new" "$OUT.$1" && return
    rm -f "$OUT.$1.new"
    not_ok "$OUT.$1 is written" "what is there now, if anything, is of an earlier run"
}
save json
save svg
if [ "$HOW" != smoke ]; then
    report table
    echo
    compare_instructions
    [ "$failed" -eq 0 ] || echo "bench: $failed of the measurements failed; see above"
    echo "took $((SECONDS - began)) s; all figures are in $OUT.json, a picture in $OUT.svg;" \
        "docs/performance.md says what they mean, and why some bounds are not met"
    [ "$failed" -eq 0 ]
    exit
fi

# ---- smoke: is all of it there? ----

told=$WORK/told
check "the figures are JSON" sh -c '"$1" "$2" >"$3"' - "$B/figures" $OUT.json "$told"
for key in bulk.raw_gbps bulk.kernel_gbps bulk.lwip_gbps bulk.twintun_gbps bulk.of_raw bulk.of_kernel \
    rr.raw_spin_us rr.raw_sleep_us rr.kernel_us rr.twintun_spin_us rr.twintun_sleep_us \
    conn.kernel_per_s conn.twintun_per_s mss.raw_mpps mss.twintun_mpps idle.bytes_per_connection \
    core.ns_per_segment core.ns_per_segment_1m; do
    grep -qE "^$key ([0-9.]*[1-9][0-9.e-]*|null)\$" "$told" || echo "$key: no figure and no null"
done >"$WORK/missing"
is "every figure is there and is more than nothing, or null" "$(cat "$WORK/missing")" ""
is "what is null has a reason" "$(awk '$2 == "null" { null[$1] = 1 } /^why\./ { reason[substr($1, 5)] = 1 }
    END { for (k in null) if (!(k in reason)) print k }' "$told")" ""
is "what needs nothing but TUNs was measured" "$(grep -E " null$" "$told" |
    grep -E '^(bulk.raw|bulk.twintun|mss|rr.raw|rr.twintun|conn.twintun|idle|core.ns)')" ""
check "a ratio is that of its figures" awk '{ v[$1] = $2 } END {
    r = v["bulk.twintun_gbps"] / v["bulk.raw_gbps"] / v["bulk.of_raw"]; exit !(r > 0.97 && r < 1.03) }' "$told"
is "a warning is read before what it is about" "$(printf 'bulk.raw_gbps %d\n' 10 20 40 >"$WORK/moved"
    samples=$WORK/moved report table | grep -oE '^(Figures|Ratios)' | tr '\n' ' ')" "Figures Ratios "
check "the picture has it, too" grep -q '>Figures that moved' <(samples=$WORK/moved report svg)
is "what the device alone does not carry is not laid on the stack" "$(printf 'bulk.%s\n' 'raw_gbps 15' \
    'twintun_gbps 12' 'kernel_gbps 10' 'lwip_gbps 0.7' >"$WORK/slow"
    samples=$WORK/slow report table | sed -nE 's/.*bulk.*(kernel TCP|lwIP) .* (not met.*)/\2/p')" \
    "not met, nor by the device alone: 1.5
not met, nor by the device alone: 21.4"
check "the picture is there" grep -q '</svg>' $OUT.svg
finish
