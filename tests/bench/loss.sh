#!/usr/bin/env bash
#
# make bench: how much of a path that loses packets at random host and peer use, and how much the
# kernel's TCP does: one connection at a time, one after the other, with the same congestion control.
#
#   host === tun0 [here, forwards, loses] near === delay === far [router, forwards] tun1 === peer
#   ksock [ka] === ka0                                                         kb0 === [kb] ksock
#
# Both pairs cross the same router, which drops 1% of all TCP packets, each for itself, in both
# directions (iptables' statistic match), and the same cable of $MS milliseconds each way
# (tests/tools/delay.c). Neither has offloads: each segment is a packet of 1,500 bytes, with the same
# 1,448 bytes of data. The rate is what TCP makes of the losses, far below what either could do on a
# path without them, so the speed of this machine hardly matters. Time is counted from the connection
# being open until both sides are closed, by each sender itself. Runs take turns, and medians are
# compared, since chance decides what each run loses.
#
#   tests/bench/loss.sh [short]
#
# short is what `make test` runs: fewer repetitions, and a wider margin.

. "$(dirname "$0")/../e2e/lib.sh"
need_tun
TOOLS=${TOOLS:-build/release/tools}
RUNS=${RUNS:-15} MIB=${MIB:-8} MS=${MS:-5} PERCENT=${PERCENT:-1} LEAST=${LEAST:-95} CCS=${CCS:-reno cubic}
[ "${1-}" = short ] && RUNS=5 MIB=3 MS=2 LEAST=60

if ! { ip netns add router && far_up ka 1 && far_up kb 2 router; } 2>>"$WORK/far.err"; then
    echo "skip - $NAME # no namespaces and veth here: $(tail -1 "$WORK/far.err")"
    exit 77
fi
"$TOOLS/delay" near router/far "$MS" 2>"$WORK/delay.err" &
delay=$!
wait_for 5 grep -q joined "$WORK/delay.err"
cable()
{
    sysctl -qw net.ipv4.ip_forward=1
    ip link set near txqueuelen 5000 up
    ip route add 10.0.1.0/24 dev near && ip route add 10.9.2.0/24 dev near
    ip netns exec router sysctl -qw net.ipv4.ip_forward=1
    ip -n router link set far txqueuelen 5000 up
    ip -n router route add 10.0.0.0/24 dev far && ip -n router route add 10.9.1.0/24 dev far
}
if ! cable 2>"$WORK/cable.err"; then
    not_ok "the cable" "$(cat "$WORK/cable.err" "$WORK/delay.err")"
    finish
fi
if ! iptables -w -A FORWARD -p tcp -m statistic --mode random \
    --probability "$(printf '0.%02d' "$PERCENT")" -j DROP 2>"$WORK/iptables.err"; then
    echo "skip - $NAME # this kernel has no iptables match 'statistic'"
    exit 77
fi

head -c $((MIB << 20)) /dev/urandom >"$WORK/file"
ip netns exec router "$BIN/peer" --session discard tun1 10.0.1.1/24 10.0.0.7 </dev/null 2>"$WORK/peer.err" &
peer=$!
wait_for 5 grep -q ready "$WORK/peer.err"

# Each run leaves its rate in Mbit/s, and what it sent again and its timeouts, as one line.
ours()
{
    local cc=$1

    "$BIN/host" --json ${NOCC-} tun0 10.0.0.1/24 10.0.1.5 \
        <"$WORK/file" >"$WORK/host.out" 2>"$WORK/host.err" || return
    grep '"event":"closed"' "$WORK/host.err" >"$WORK/host.closed"
    echo "$(told "$WORK/host.closed" duration_ms) $(told "$WORK/host.closed" retransmits)" \
        "$(told "$WORK/host.err" timer.rto)"
}

kernel_timeouts()
{
    ip netns exec ka awk '/^TcpExt:/ { for (i in h) if (h[i] == "TCPTimeouts") n = $i; split($0, h) }
        END { print n + 0 }' /proc/net/netstat
}

kernels()
{
    local cc=$1 before listener

    before=$(kernel_timeouts)
    rm -f "$WORK/kb.err"
    ip netns exec kb timeout 60 "$TOOLS/ksock" listen 10.9.2.2 9000 after "cc=$cc" \
        </dev/null >/dev/null 2>"$WORK/kb.err" &
    listener=$!
    wait_for 5 grep -q listening "$WORK/kb.err"
    ip netns exec ka timeout 60 "$TOOLS/ksock" connect 10.9.2.2 9000 "cc=$cc" \
        <"$WORK/file" >/dev/null 2>"$WORK/ka.err" || return
    wait $listener || return
    awk -v timeouts=$(($(kernel_timeouts) - before)) '/^took/ { ms = $2 / 1000 } /^sent again/ { n = $3 }
        END { print ms, n, timeouts }' "$WORK/ka.err"
}

# summary FILE: the median of the rates, the quartiles, and the sums of the rest.
summary()
{
    awk -v bits=$((MIB << 23)) '{ print bits / $1 / 1000, $2, $3 }' "$1" | sort -n |
        awk '{ r[NR] = $1; again += $2; rto += $3 }
            END { printf "%.2f %.2f %.2f %d %d\n", r[int((NR + 1) / 2)], r[int((NR + 3) / 4)],
                r[int((3 * NR + 1) / 4)], again, rto }'
}

rm -f "$WORK"/*.runs
for run in $(seq "$RUNS"); do
    for cc in $CCS; do
        for pair in ours kernels; do
            $pair "$cc" >>"$WORK/$cc.$pair.runs" || not_ok "$pair, $cc, run $run" "$(tail -2 "$WORK"/*.err)"
        done
    done
done

echo "    $PERCENT% loss, $((2 * MS)) ms round trip, $MIB MiB, $RUNS runs, Linux $(uname -r)"
echo "    cc      pair     Mbit/s (quartiles)      sent again  timeouts"
for cc in $CCS; do
    for pair in ours kernels; do
        read -r median low high again rto <<<"$(summary "$WORK/$cc.$pair.runs")"
        printf '    %-7s %-8s %6s (%s to %s)   %9s %9s\n' "$cc" $pair "$median" "$low" "$high" "$again" "$rto"
        eval "$pair=$median"
    done
    # shellcheck disable=SC2154
    ratio=$(awk -v a="$ours" -v b="$kernels" 'BEGIN { printf "%d", 100 * a / b }')
    check "$cc at $PERCENT% loss: host to peer has $ratio% of what kernel to kernel has (at least $LEAST)" \
        test "$ratio" -ge "$LEAST"
done
stop $peer
stop $delay
rm -f "$WORK/file"
finish
