#!/usr/bin/env bash
#
# The kernel's TCP at the other end, in both roles, over a path that loses or marks packets at random:
#
#   ksock, kernel's TCP 10.9.0.2 [far] === [here: forwards, iptables' statistic] === tun0 === host
#                                                                               === tun1 === peer
#
# Both roles run at the same time, since most of it is waiting: host opens to a kernel that listens,
# and a kernel opens to peer; on each connection 64 MiB go each way at once, and what arrives has the
# hash of what was sent. The path is a few microseconds long, so a loss that is repaired by what the
# acknowledgments say costs nothing to speak of; what takes time is each loss that needs a timeout of
# 200 ms. They are counted, here and in the kernel, and said.

. "$(dirname "$0")/lib.sh"
need_tun
TOOLS=${TOOLS:-build/release/tools}
SIZE=${SIZE:-67108864} # bytes each way
LIMIT=150              # s

net_up
if ! far_up far 0; then
    echo "skip - $NAME # no second namespace here: $(head -1 "$WORK/far.err")"
    exit 77
fi
far()
{
    ip netns exec far "$@"
}
far sysctl -qw net.ipv4.tcp_ecn=0
# The kernel's own control is CUBIC where it may be chosen, whatever this system prefers.
cubic=cc=cubic
far "$TOOLS/ksock" connect 10.9.0.2 1 cc=cubic 2>&1 | grep -q '^ksock: cubic' && cubic=

# halves BYTES: the files that each connection sends, one for each end of it.
halves()
{
    local f

    for f in host.ours host.theirs peer.ours peer.theirs; do
        head -c "$1" /dev/urandom >"$WORK/$f"
    done
}

# host_role and peer_role [OPTION...]: one connection each. What each end sends is ROLE.ours and
# ROLE.theirs, what arrives got.ROLE.*, what they say ROLE.node and ROLE.kernel; ROLE.codes are their
# exit codes, ROLE.ms how long it took.
host_role()
{
    local kernel began node

    rm -f "$WORK/host.kernel"
    # shellcheck disable=SC2086
    far timeout $LIMIT "$TOOLS/ksock" listen 10.9.0.2 9000 $cubic \
        <"$WORK/host.theirs" >"$WORK/got.host.ours" 2>"$WORK/host.kernel" &
    kernel=$!
    wait_for 5 grep -q listening "$WORK/host.kernel"
    began=$(date +%s%N)
    timeout $LIMIT "$BIN/host" --json "$@" --port 9000 tun0 10.0.0.1/24 10.9.0.2 \
        <"$WORK/host.ours" >"$WORK/got.host.theirs" 2>"$WORK/host.node"
    node=$?
    wait $kernel
    echo "$node $?" >"$WORK/host.codes"
    echo $((($(date +%s%N) - began) / 1000000)) >"$WORK/host.ms"
}

peer_role()
{
    local node began kernel

    rm -f "$WORK/peer.node"
    timeout $LIMIT "$BIN/peer" --json --once --session cat "$@" tun1 10.0.1.1/24 10.0.0.7 \
        <"$WORK/peer.ours" >"$WORK/got.peer.theirs" 2>"$WORK/peer.node" &
    node=$!
    wait_for 5 grep -q ready "$WORK/peer.node"
    began=$(date +%s%N)
    # shellcheck disable=SC2086
    far timeout $LIMIT "$TOOLS/ksock" connect 10.0.1.5 8000 $cubic \
        <"$WORK/peer.theirs" >"$WORK/got.peer.ours" 2>"$WORK/peer.kernel"
    kernel=$?
    wait $node
    echo "$? $kernel" >"$WORK/peer.codes"
    echo $((($(date +%s%N) - began) / 1000000)) >"$WORK/peer.ms"
}

# both [OPTION...]: the two roles at the same time.
both()
{
    local other

    host_role "$@" &
    other=$!
    peer_role "$@"
    wait $other
}

# sums ROLE.ours ROLE.theirs: of what was sent, or with "got." before them, of what arrived.
sums()
{
    echo "$(sum "$WORK/$1") $(sum "$WORK/$2")"
}

# of ROLE COUNTER...: what our node counted of these, together.
of()
{
    local role=$1 n=0 c
    shift

    for c in "$@"; do
        n=$((n + $(told "$WORK/$role.node" "$c")))
    done
    echo $n
}

# report ROLE: what the repair cost.
report()
{
    echo "    $1: $(cat "$WORK/$1.ms") ms; ours: $(of "$1" timer.rto) timeouts," \
        "$(of "$1" recovery.enter) recoveries; the kernel sent" \
        "$(sed -n 's/^sent again //p' "$WORK/$1.kernel") segments again"
}

# judge WHAT: both ends of both closed in order and have what was sent.
judge()
{
    local role

    for role in host peer; do
        if [ "$(cat "$WORK/$role.codes")" = "0 0" ] &&
            [ "$(sums got.$role.ours got.$role.theirs)" = "$(sums $role.ours $role.theirs)" ]; then
            ok "$role, $1"
        else
            not_ok "$role, $1" "the node and the kernel's end ended with $(cat "$WORK/$role.codes")" \
                "$(ls -l "$WORK")" "$(tail -5 "$WORK/$role.node" "$WORK/$role.kernel")"
        fi
        report $role
    done
}

# kernel NAME: a counter of the kernel's TCP there.
kernel()
{
    far awk -v name="$1" '/^TcpExt:/ { for (i in h) if (h[i] == name) n = $i; split($0, h) }
        END { print n + 0 }' /proc/net/netstat
}

# lossy PERCENT: of all packets, each way. False where the kernel cannot.
lossy()
{
    iptables -w -A FORWARD -p tcp -m statistic --mode random --probability "$(printf '0.%02d' "$1")" -j DROP
}

# modules: each congestion control that we have, as --help tells.
modules()
{
    "$BIN/host" --help | awk '/^$/ { on = 0 } on && /^  [a-z]/ { print $1 } /^congestion control/ { on = 1 }'
}

check "there are several modules of congestion control" test "$(modules | wc -l)" -ge 3
halves "$SIZE"
both
judge "nothing is lost: $((SIZE >> 20)) MiB each way"
for percent in 1 5; do
    halves "$SIZE"
    if ! lossy $percent 2>"$WORK/iptables.err"; then
        skip "$percent% of packets are lost" "this kernel has no iptables match 'statistic'"
        continue
    fi
    before=$(kernel TCPTimeouts)
    both
    judge "$percent% of packets are lost: $((SIZE >> 20)) MiB each way"
    echo "    the kernel: $(($(kernel TCPTimeouts) - before)) timeouts"
    if [ $percent -eq 1 ]; then
        halves $((SIZE / 16))
        for cc in $(modules); do
            both --cc "$cc"
            judge "--cc $cc, $percent% of packets are lost: $((SIZE >> 24)) MiB each way"
        done
    fi
    iptables -w -F FORWARD
done

# ECN: the router marks one packet in a hundred of those that may be marked, and loses none. Each end
# hears of it from the other and slows down, and neither finds a loss to repair.
marks=(FORWARD -p tcp -m statistic --mode random --probability 0.01 -m tos ! --tos 0/3 -j TOS --set-tos 3/3)
for tun in tun0 tun1; do
    ip link set $tun txqueuelen 20000 # where else would a burst go?
done
far sysctl -qw net.ipv4.tcp_ecn=1
if iptables -w -t mangle -A "${marks[@]}" 2>"$WORK/iptables.err"; then
    before=$(kernel TCPDeliveredCE)
    halves "$SIZE"
    both
    marked="1% of packets are marked and none is lost"
    judge "$marked: $((SIZE >> 20)) MiB each way"
    heard=$(($(kernel TCPDeliveredCE) - before))
    check "$marked: the kernel is told of $heard marks" test $heard -gt 0
    for role in host peer; do
        reduced=$(of $role recovery.ecn)
        check "$role, $marked: we are told of marks, and slow down $reduced times" test "$reduced" -gt 0
        is "$role, $marked: our recoveries" "$(of $role recovery.enter)" 0
    done
else
    skip "1% of packets are marked" "this kernel has no iptables target 'TOS' or match 'tos'"
fi

rm -f "$WORK"/*.ours "$WORK"/*.theirs
finish
