#!/usr/bin/env bash
#
# The handshake, seen by others: tcpdump on both TUNs, and the captures that the nodes write.
#
#   host 10.0.0.7 == tun0 == kernel (NOTRACK, ip_forward) == tun1 == peer 10.0.1.5
#
# A node sends with a TTL of 64, and the kernel takes one off on the way: so each segment must be on
# both devices, with one TTL where it was sent and the next lower where it arrives.

. "$(dirname "$0")/lib.sh"
need_tcpdump
need ping
need_tun

net_up
# Hooks of connection tracking exist in a namespace only where a rule wants them; one does now, so
# that an empty table means something.
tracking=/proc/sys/net/netfilter/nf_conntrack_count
iptables -w -A FORWARD -m conntrack --ctstate INVALID -j ACCEPT 2>/dev/null

capture tun0 "$WORK/tun0.pcap"
dump0=$captured
capture tun1 "$WORK/tun1.pcap"
dump1=$captured
peer_start --pcap "$WORK/peer.pcapng"

printf 'hello, peer\n' | host --pcap "$WORK/host.pcapng" >"$WORK/host.out" 2>"$WORK/host.err"
is "host exits 0 after an orderly close" $? 0
is "the bytes come back" "$(cat "$WORK/host.out")" "hello, peer"
count=$(cat $tracking 2>/dev/null)

stop $peer
is "peer exits 0 when it is told to stop" $? 0
sleep 0.2
stop $dump0 INT
stop $dump1 INT

segments "$WORK/tun0.pcap" >"$WORK/tun0.txt"
segments "$WORK/tun1.pcap" >"$WORK/tun1.txt"
client=$(awk 'NR == 1 { print $2 }' "$WORK/tun0.txt")

for i in 0 1; do
    is "tun$i: SYN, SYN-ACK, ACK, and ECN is agreed on" \
        "$(awk -v c="$client" 'NR <= 3 { print ($2 == c ? "host" : "peer") ":" $4 }' \
            "$WORK/tun$i.txt" | tr '\n' ' ')" "host:SEW peer:S.E host:. "
done
# Everything but the TTL is equal on both sides, packet for packet.
strip()
{
    cut -d' ' -f2- "$1" | sort
}
is "each segment crosses, none is changed" "$(strip "$WORK/tun0.txt")" "$(strip "$WORK/tun1.txt")"
ttls()
{
    awk -v c="$client" '{ print ($2 == c ? "host" : "peer") ":" $1 }' "$1" | sort -u | tr '\n' ' '
}
is "tun0: host sends with TTL 64, peer's arrive with 63" "$(ttls "$WORK/tun0.txt")" \
    "host:64 peer:63 "
is "tun1: peer sends with TTL 64, host's arrive with 63" "$(ttls "$WORK/tun1.txt")" \
    "host:63 peer:64 "

# The handshake's numbers: the SYN-ACK acknowledges the SYN, the ACK the SYN-ACK.
is "the handshake's numbers fit" "$(awk '
    NR == 1 { isn = $5 }
    NR == 2 { good = $7 == isn + 1; their = $5 }
    NR == 3 { print good && $7 == their + 1 && $5 != "" }' "$WORK/tun0.txt")" 1

# A FIN from each side, each acknowledged by the other.
for i in 0 1; do
    is "tun$i: a FIN each way, both acknowledged" "$(awk -v c="$client" '
        $4 ~ /F/ { fin[$2 == c] = ($6 == "-" ? $5 : $6) + 1 }
        $7 != "-" { acked[$2 != c] = $7 }
        END { print fin[0] != "" && fin[1] != "" && acked[0] == fin[0] && acked[1] == fin[1] }' \
        "$WORK/tun$i.txt")" 1
done
is "no RST" "$(awk '$4 ~ /R/' "$WORK/tun0.txt" "$WORK/tun1.txt")" ""

if [ -z "$count" ]; then
    skip "connection tracking stays empty" "this kernel tracks no connections"
else
    is "connection tracking stays empty" "$count" 0
    # The other way round: what is not exempt is tracked, so the count can count.
    ping -c 1 127.0.0.1 >/dev/null 2>&1
    check "other traffic is tracked" test "$(cat $tracking)" -gt 0
fi

# What the nodes themselves captured.
for node in host peer; do
    tun=tun0
    [ $node = peer ] && tun=tun1
    segments "$WORK/$node.pcapng" >"$WORK/$node.txt"
    is "--pcap of $node holds what tcpdump saw on $tun" "$(sort "$WORK/$node.txt")" \
        "$(sort "$WORK/$tun.txt")"
    check "--pcap of $node names its interface" grep -qa "$tun" "$WORK/$node.pcapng"
done
check "host says how the connection ended" grep -q "10.0.1.5:8000" "$WORK/host.err"

finish
