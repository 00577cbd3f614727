#!/usr/bin/env bash
#
# TCP options with the kernel's TCP as the other end, over a path that loses packets:
#
#   nc 10.9.0.2 [far] == veth == kernel (FORWARD drops some) == tun1 == peer 10.0.1.5
#
# tcpdump sees what was agreed on and said; the kernel's own counters say what it made of it.

. "$(dirname "$0")/lib.sh"
need_tcpdump
need nc curl nstat
need_tun
OFFLOAD=off # each segment is a packet of its own on the path that loses them

net_up
if ! { ip netns add far && ip link add near0 type veth peer name far0 netns far; } 2>"$WORK/far.err"
then
    echo "skip - $NAME # no second namespace or veth here: $(head -1 "$WORK/far.err")"
    exit 77
fi
far()
{
    ip netns exec far "$@"
}
ip addr add 10.9.0.1/24 dev near0 && ip link set near0 up
far ip link set lo up
far ip addr add 10.9.0.2/24 dev far0
far ip link set far0 gso_max_segs 1 up && far ip route add default via 10.9.0.1
far sysctl -qw net.ipv4.tcp_ecn=1
# netsetup leaves no rule that stands in the way here; each drops one of fifty full packets
for way in "-i near0 -o tun1" "-i tun1 -o near0"; do
    # shellcheck disable=SC2086
    iptables -w -A FORWARD $way -p tcp -m length --length 800:1500 \
        -m statistic --mode nth --every 50 --packet 49 -j DROP 2>"$WORK/rule.err" && continue
    echo "skip - $NAME # no rule that drops some: $(head -1 "$WORK/rule.err")"
    exit 77
done

capture tun1 "$WORK/tun1.pcap"
peer_start
head -c 4000000 /dev/urandom >"$WORK/file"
far timeout 60 nc -w 20 -N 10.0.1.5 7 <"$WORK/file" >"$WORK/back"
is "4 MB there and back, some of it lost on the way" "$(sum "$WORK/back")" "$(sum "$WORK/file")"
peer_tells "$WORK/after.json"
far nstat -asz >"$WORK/nstat" 2>/dev/null
capture_end "$captured"
tcpdump -nn -r "$WORK/tun1.pcap" tcp and host 10.9.0.2 >"$WORK/lines" 2>/dev/null

# line N: that line without its time, addresses and the numbers that differ each time
line()
{
    sed -n "$1p" "$WORK/lines" |
        sed -E 's/.*Flags/Flags/; s/(seq|ack|win|val|ecr|wscale) [0-9]+/\1/g; s/, length.*//'
}
is "the kernel's SYN offers all" "$(line 1)" \
    "Flags [SEW], seq, win, options [mss 1460,sackOK,TS val ecr,nop,wscale]"
is "our SYN-ACK takes all of it" "$(line 2)" \
    "Flags [S.E], seq, ack, win, options [mss 1460,sackOK,TS val ecr,nop,wscale]"
is "every segment has a timestamp" "$(grep -vc 'TS val [0-9]* ecr [0-9]' "$WORK/lines")" 0
kernel()
{
    awk -v name="TcpExt$1" '$1 == name { n = $2 } END { print n + 0 }' "$WORK/nstat"
}
reported=$(grep -c 'IP 10\.0\.1\.5\..*[,[]sack [0-9]' "$WORK/lines")
check "we told of what lies behind a gap ($reported times)" test "$reported" -gt 10
check "the kernel repaired by it ($(kernel TCPSackRecovery) times)" \
    test "$(kernel TCPSackRecovery)" -gt 0
is "and found no block of ours impossible" "$(kernel TCPSACKDiscard)" 0
is "nor an old timestamp" "$(kernel PAWSEstab)" 0
check "the kernel's blocks came here" grep -q 'IP 10\.9\.0\.2\..*[,[]sack [0-9]' "$WORK/lines"
for reason in recovery.sack_impossible drop.tcp.no_timestamp; do
    is "$reason: none" "$(told "$WORK/after.json" $reason)" 0
done
# a processor of the kernel may overtake another by a packet, over a millisecond's edge
check "drop.tcp.paws: next to none" test "$(told "$WORK/after.json" drop.tcp.paws)" -le 5
# from_peer FILTER: how many of peer's segments it fits, of those that tcpdump had the time to see
from_peer()
{
    tcpdump -nn -r "$WORK/tun1.pcap" "src 10.0.1.5 and tcp and $1" 2>/dev/null | wc -l
}
marked="(ip[1] & 3) = 2"
check "routers may mark our data, but for what is sent again" \
    test "$(from_peer "ip[2:2] > 100 and $marked")" -gt "$(($(from_peer 'ip[2:2] > 100') / 2))"
text="ip[2:2] - ((ip[0] & 0xf) << 2) - ((tcp[12] & 0xf0) >> 2)"
is "but no packet without text" "$(from_peer "$text = 0 and $marked")" 0

# What a node prints of its packets is what tcpdump reads in its capture, options and all.
for input in "a line" "$(head -c 20000 /dev/zero | tr '\0' x)"; do
    printf '%s' "$input" |
        host -v --pcap "$WORK/host.pcapng" >"$WORK/host.out" 2>"$WORK/host.err"
    grep -E '^[0-9:.]+ tun0 (Out|In) ' "$WORK/host.err" |
        sed -E 's/^[^ ]+ [^ ]+ (Out|In) +//; s/ +\([a-z_.0-9]+\)$//' >"$WORK/printed"
    tcpdump -nn -t -r "$WORK/host.pcapng" 2>/dev/null >"$WORK/read"
    check "host -v prints what tcpdump reads ($(wc -l <"$WORK/read") packets)" \
        diff "$WORK/printed" "$WORK/read"
done

stop "$peer"
is "peer exits 0" $? 0
finish
