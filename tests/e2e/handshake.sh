#!/usr/bin/env bash
#
# The handshake, seen by others: tcpdump on both TUNs, and the captures that the nodes write. All of
# it with both versions of IP, and with offload and without.
#
#   host 10.0.0.7 == tun0 == kernel (NOTRACK, forwarding) == tun1 == peer 10.0.1.5
#        fd00::7                                                     fd00:1::5
#
# A node sends with a TTL of 64, and the kernel takes one off on the way: so each segment must be on
# both devices, with one TTL where it was sent and the next lower where it arrives. In IPv6 it is the
# hop limit.

. "$(dirname "$0")/lib.sh"
need_tcpdump
need ping
need_tun

tracking=/proc/sys/net/netfilter/nf_conntrack_count

# run VERSION: one connection, captured in four places; what was seen is in $seen.*.
run()
{
    local dump0 dump1

    capture tun0 "$seen.tun0.pcap"
    dump0=$captured
    capture tun1 "$seen.tun1.pcap"
    dump1=$captured
    peer_start --pcap "$seen.peer.pcapng"

    printf 'hello, peer\n' | host --pcap "$seen.host.pcapng" >"$seen.out" 2>"$seen.err"
    is "$ip: host exits 0 after an orderly close" $? 0
    is "$ip: the bytes come back" "$(cat "$seen.out")" "hello, peer"
    [ ! -e $tracking ] || is "$ip: connection tracking stays empty" "$(cat $tracking)" 0

    stop $peer
    is "$ip: peer exits 0 when it is told to stop" $? 0
    capture_end $dump0 $dump1
    for place in tun0.pcap tun1.pcap host.pcapng peer.pcapng; do
        segments "$seen.$place" >"$seen.${place%.*}.txt"
    done
}

# Everything but the TTL is equal on both sides, packet for packet.
strip()
{
    cut -d' ' -f2- "$1" | sort
}

# by_side AWK FILE: an awk program that knows which segments are host's.
by_side()
{
    awk -v c="$client" "function side() { return \$2 == c ? \"host\" : \"peer\" } $1" "$2"
}

ttls()
{
    by_side '{ print side() ":" $1 }' "$1" | sort -u | tr '\n' ' '
}

# look: what the four captures must show.
look()
{
    local i node tun

    client=$(awk 'NR == 1 { print $2 }' "$seen.tun0.txt")
    is "$ip: the client is host" "${client%.*}" "$host_at"
    for i in 0 1; do
        is "$ip: tun$i: SYN, SYN-ACK, ACK, and ECN is agreed on" \
            "$(by_side 'NR <= 3 { print side() ":" $4 }' "$seen.tun$i.txt" | tr '\n' ' ')" \
            "host:SEW peer:S.E host:. "
    done
    is "$ip: each segment crosses, none is changed" "$(strip "$seen.tun0.txt")" \
        "$(strip "$seen.tun1.txt")"
    is "$ip: tun0: host sends with TTL 64, peer's arrive with 63" "$(ttls "$seen.tun0.txt")" \
        "host:64 peer:63 "
    is "$ip: tun1: peer sends with TTL 64, host's arrive with 63" "$(ttls "$seen.tun1.txt")" \
        "host:63 peer:64 "

    # The handshake's numbers: the SYN-ACK acknowledges the SYN, the ACK the SYN-ACK.
    is "$ip: the handshake's numbers fit" "$(awk '
        NR == 1 { isn = $5 }
        NR == 2 { good = $7 == isn + 1; their = $5 }
        NR == 3 { print good && $7 == their + 1 && $5 != "" }' "$seen.tun0.txt")" 1

    # A FIN from each side, each acknowledged by the other.
    for i in 0 1; do
        is "$ip: tun$i: a FIN each way, both acknowledged" "$(awk -v c="$client" '
            $4 ~ /F/ { fin[$2 == c] = ($6 == "-" ? $5 : $6) + 1 }
            $7 != "-" { acked[$2 != c] = $7 }
            END { print fin[0] != "" && fin[1] != "" && acked[0] == fin[0] && acked[1] == fin[1] }' \
            "$seen.tun$i.txt")" 1
    done
    is "$ip: no RST" "$(awk '$4 ~ /R/' "$seen.tun0.txt" "$seen.tun1.txt")" ""
    # A flow label each way, which is the connection's for all its life; IPv4 has none.
    is "$ip: each side's flow label" "$(by_side '{ print side() ($8 ~ /^-$|^0+$/ ? " none" : " one: " $8) }' \
        "$seen.tun0.txt" | sort -u | cut -d: -f1 | tr '\n' ' ')" "$labels"

    # What the nodes themselves captured.
    for node in host peer; do
        tun=tun0
        [ $node = peer ] && tun=tun1
        is "$ip: --pcap of $node holds what tcpdump saw on $tun" "$(sort "$seen.$node.txt")" \
            "$(sort "$seen.$tun.txt")"
        check "$ip: --pcap of $node names its interface" grep -qa "$tun" "$seen.$node.pcapng"
    done
    check "$ip: host says how the connection ended" grep -qF "$name:8000" "$seen.err"
}

net_up
# Hooks of connection tracking exist in a namespace only where a rule wants them; one does now, so
# that an empty table means something.
for tables in iptables ip6tables; do
    $tables -w -A FORWARD -m conntrack --ctstate INVALID -j ACCEPT 2>/dev/null
done

for version in 4 6; do
    if ! can_speak $version; then
        skip "IPv$version" "this kernel has no IPv$version"
        continue
    fi
    speak $version
    name=$peer_at labels="host none peer none "
    [ $version = 4 ] || { name="[$peer_at]" labels="host one peer one "; }
    for OFFLOAD in auto off; do
        ip="IPv$version, offload $OFFLOAD" seen=$WORK/$version-$OFFLOAD
        run
        look
    done
done

# The other way round: what is not exempt is tracked, so the count can count.
if [ -e $tracking ]; then
    for address in 127.0.0.1 ::1; do
        before=$(cat $tracking)
        [ $address = 127.0.0.1 ] || can_speak 6 || continue
        ping -c 1 $address >/dev/null 2>&1
        check "other traffic, to $address, is tracked" test "$(cat $tracking)" -gt "$before"
    done
else
    skip "connection tracking stays empty" "this kernel tracks no connections"
fi

finish
