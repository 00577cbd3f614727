#!/usr/bin/env bash
#
# make bench: what host and peer make of a path that loses packets at random, and what the kernel's
# TCP makes of it, with the same congestion control.
#
#   host === tunN [here, forwards, loses] near === delay === far [router, forwards] tun1 === peer
#   ksock [ka] === ka0                                                         kb0 === [kb] ksock
#
# Both pairs cross the same router, which drops $PERCENT% of all TCP packets, each for itself, in both
# directions (iptables' statistic match), and the same cable of $MS milliseconds each way
# (tests/tools/delay.c). Neither has offloads: each segment is a packet of 1,500 bytes, with the same
# 1,448 bytes of data, and meets a draw of its own: what a file of $MIB MiB makes either send again is
# about $PERCENT% of its packets. The kernel keeps nothing of one connection for the next, as ours does
# not.
# The rate is what TCP makes of the losses, far below what either could do without them, so the speed
# of this machine hardly matters, and $FLOWS connections at a time do not disturb each other.
#
# The pairs take turns. The time of a connection goes from its being open until both sides are closed,
# as its sender tells it. What else runs on the machine goes behind both pairs, where that is allowed:
# the kernel's TCP does not wait for a processor as a process does. Compared are the bytes of all
# connections of a pair over the time of all; medians and quartiles are said besides, since chance
# decides what each of them loses, and no seed can give both the same. How much chance is worth is said,
# too: the standard error of what a pair has, and of the ratio. There are so many turns that the latter
# is less than 3%. A ratio that is more than two of them below $LEAST% is a failure.
#
#   tests/bench/loss.sh [short]
#
# short is what `make test` runs: fewer, shorter, and with a wide margin.

. "$(dirname "$0")/../e2e/lib.sh"
need_tun
renice -n -15 $$ >/dev/null 2>&1
TOOLS=${TOOLS:-build/release/tools}
RUNS=${RUNS:-8} FLOWS=${FLOWS:-6} MIB=${MIB:-6} MS=${MS:-10} PERCENT=${PERCENT:-1}
LEAST=${LEAST:-100} CCS=${CCS:-reno cubic}
[ "${1-}" = short ] && RUNS=4 FLOWS=4 MIB=3 MS=5 LEAST=75

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
    ip netns exec ka sysctl -qw net.ipv4.tcp_no_metrics_save=1
    ip -n router link set far txqueuelen 5000 up
    ip -n router route add 10.0.0.0/16 dev far && ip -n router route add 10.9.1.0/24 dev far
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
ip netns exec router "$BIN/peer" --offload off --session discard tun1 10.0.1.1/24 10.0.0.7 </dev/null 2>"$WORK/peer.err" &
peer=$!
wait_for 5 grep -q ready "$WORK/peer.err"

# ours CC N and kernels CC N: one connection, the Nth of those at the same time. Its milliseconds, the
# segments it sent again and its timeouts are a line of output; the kernel's are not known for one.
ours()
{
    "$BIN/host" --offload off --json --cc "$1" "tun1$2" "10.0.1$2.1/24" 10.0.1.5 \
        <"$WORK/file" >/dev/null 2>"$WORK/host$2.err" || return
    grep '"event":"closed"' "$WORK/host$2.err" >"$WORK/host$2.closed"
    tr ',{}' '\n\n\n' <"$WORK/host$2.closed" | awk -F: -v rto="$(told "$WORK/host$2.err" timer.rto)" '
        $1 == "\"duration_ms\"" { ms = $2 } $1 == "\"retransmits\"" { n = $2 } END { print ms, n, rto }'
}

kernels()
{
    local listener

    rm -f "$WORK/kb$2.err"
    ip netns exec kb timeout 60 "$TOOLS/ksock" listen 10.9.2.2 "900$2" after "cc=$1" \
        </dev/null >/dev/null 2>"$WORK/kb$2.err" &
    listener=$!
    wait_for 5 grep -q listening "$WORK/kb$2.err"
    ip netns exec ka timeout 60 "$TOOLS/ksock" connect 10.9.2.2 "900$2" "cc=$1" \
        <"$WORK/file" >/dev/null 2>"$WORK/ka$2.err" && wait $listener || return
    awk '/^took/ { ms = $2 / 1000 } /^sent again/ { n = $3 } END { print ms, n, 0 }' "$WORK/ka$2.err"
}

kernel_timeouts()
{
    ip netns exec ka awk '/^TcpExt:/ { for (i in h) if (h[i] == "TCPTimeouts") n = $i; split($0, h) }
        END { print n + 0 }' /proc/net/netstat
}

# turn PAIR CC: so many connections of it at once.
turn()
{
    local n before

    before=$(kernel_timeouts)
    for n in $(seq 0 $((FLOWS - 1))); do
        $1 "$2" "$n" >"$WORK/flow$n" &
        flows[n]=$!
    done
    for n in "${!flows[@]}"; do
        wait "${flows[n]}" || not_ok "$1, $2: a connection ended with $?" "$(tail -2 "$WORK"/*"$n.err")"
        cat "$WORK/flow$n"
    done >>"$WORK/$2.$1.runs"
    echo "0 0 $(($(kernel_timeouts) - before))" >>"$WORK/$2.$1.runs"
}

# summary FILE: bytes over time of all in Mbit/s, and the standard error of that in percent; the
# median, the quartiles; and the sums of the rest.
summary()
{
    awk -v bits=$((MIB << 23)) '{ print $1 ? bits / $1 / 1000 : 0, $1, $2, $3 }' "$1" | sort -n |
        awk -v bits=$((MIB << 23)) '{ again += $3; rto += $4 }
            $1 { r[++n] = $1; ms += $2; square += $2 * $2 }
            END {
                mean = ms / n
                error = n > 1 ? sqrt((square / n - mean * mean) / (n - 1)) / mean : 1
                printf "%.2f %.1f %.2f %.2f %.2f %d %d\n", bits / mean / 1000, 100 * error,
                    r[int((n + 1) / 2)], r[int((n + 3) / 4)], r[int((3 * n + 1) / 4)], again, rto
            }'
}

flows=()
rm -f "$WORK"/*.runs
for run in $(seq "$RUNS"); do
    for cc in $CCS; do
        turn ours "$cc"
        turn kernels "$cc"
    done
done

echo "    $PERCENT% loss, $((2 * MS)) ms round trip, $RUNS turns of $FLOWS connections of $MIB MiB," \
    "Linux $(uname -r)"
echo "    cc      pair     Mbit/s  +-     median (quartiles)      sent again  timeouts"
for cc in $CCS; do
    for pair in ours kernels; do
        read -r all error median low high again rto <<<"$(summary "$WORK/$cc.$pair.runs")"
        printf '    %-7s %-8s %6s  %3s%%  %6s (%s to %s)   %9s %9s\n' \
            "$cc" $pair "$all" "$error" "$median" "$low" "$high" "$again" "$rto"
        eval "all_$pair=$all error_$pair=$error"
    done
    # shellcheck disable=SC2154
    read -r ratio error low <<<"$(awk -v a="$all_ours" -v b="$all_kernels" -v ea="$error_ours" \
        -v eb="$error_kernels" 'BEGIN { r = 100 * a / b; e = r * sqrt(ea * ea + eb * eb) / 100
            printf "%.1f %.1f %d\n", r, e, 10 * (r + 2 * e) }')"
    what="host to peer has $ratio% (+- $error%) of what kernel to kernel has"
    check "$cc at $PERCENT% loss: $what (not clearly below $LEAST%)" \
        test "$low" -ge $((10 * LEAST))
done
stop $peer
stop $delay
rm -f "$WORK/file"
finish
