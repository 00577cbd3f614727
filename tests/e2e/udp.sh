#!/usr/bin/env bash
#
# UDP between the kernel's programs and peer, over both versions of IP: the small services, at each of
# the node's addresses, and what comes of datagrams that nobody takes.

. "$(dirname "$0")/lib.sh"
need nc curl tcpdump
need_tun

# ask ADDRESS PORT TEXT: nc connects its socket, so it takes answers from where it asked, and from
# nowhere else.
ask()
{
    printf '%s' "$3" | timeout 5 nc -u -w 1 "$1" "$2"
}

# services ADDRESS
services()
{
    local n

    is "$1: echo" "$(ask "$1" 7 "a datagram")" "a datagram"
    is "$1: discard" "$(ask "$1" 9 "a datagram")" ""
    n=$(ask "$1" 19 x | wc -c)
    is "$1: chargen's lines are whole ($n bytes)" "$([ "$n" -gt 0 ] && echo $((n % 74)))" 0
    is "$1: reverse" "$(ask "$1" 6969 drawer)" reward
    head -c 16000 /dev/urandom >"$WORK/large"
    nc -u -w 1 "$1" 7 <"$WORK/large" >"$WORK/back"
    is "$1: echo of 16,000 bytes, in fragments" "$(sum "$WORK/back")" "$(sum "$WORK/large")"
    # the first datagram draws the ICMP error, and the second fails by it
    (echo one; sleep 0.3; echo two; sleep 0.3) | nc -u -v -w 1 "$1" 4444 >"$WORK/nobody" 2>&1
    is "$1: who sends to a port where nobody is hears of it" $? 1
}

# train HOST PEER: 100 datagrams of 1,200 bytes and one of 7, there and back, with this left to their TUNs;
# as they are on tun1 in $WORK/cut.
train()
{
    OFFLOAD=$2 peer_start "${with[@]}"
    capture tun1 "$WORK/cut.pcap" -s 200
    OFFLOAD=$1 host --udp --port 7 --size 1200 --wait 0.4 --json <"$WORK/train" >"$WORK/back" 2>"$WORK/host.json"
    is "IPv$version, $1 and $2: host exits 0" $? 0
    is "IPv$version, $1 and $2: all of them come back, in their order" "$(sum "$WORK/back")" "$(sum "$WORK/train")"
    is "IPv$version, $1 and $2: as many as were sent" \
        "$(told "$WORK/host.json" datagrams_sent) $(told "$WORK/host.json" datagrams_received)" "101 101"
    capture_end $captured
    tcpdump -nn -r "$WORK/cut.pcap" udp dst port 7 2>/dev/null | grep -o 'length [0-9]*$' | sort | uniq -c | awk '{ print $3 "*" $1 }' | xargs >"$WORK/cut"
    stop $peer
}

net_up
with=(--local 10.0.1.5/24 --local 10.0.1.6/24)
addresses=(10.0.1.5 10.0.1.6)
if [ -e /proc/sys/net/ipv6/conf/all/forwarding ]; then
    with+=(--local fd00:1::5/64 --local fd00:1::6/64)
    addresses+=(fd00:1::5 fd00:1::6)
else
    skip "over IPv6" "this kernel has no IPv6"
fi
peer_start "${with[@]}"
for a in "${addresses[@]}"; do
    services "$a"
done
check "the counters can be read" peer_tells "$WORK/told.json"
is "no datagram came with a wrong length or checksum" \
    "$(told "$WORK/told.json" drop.udp.length) $(told "$WORK/told.json" drop.udp.checksum)" "0 0"
stop $peer
is "peer exits 0" $? 0

# Several at once: one packet where both TUNs take it so, and single ones where one of them does not.
head -c 120007 /dev/urandom >"$WORK/train"
with=()
for version in 4 6; do
    can_speak $version || continue
    speak $version
    train uso uso
    if grep -q 'offload on tun0: csum$' "$WORK/host.json"; then
        skip "IPv$version: super-datagrams" "this kernel has none"
        continue
    fi
    is "IPv$version: they cross the kernel as two packets" "$(cat "$WORK/cut")" "55207*1 64800*1"
    train uso off
    is "IPv$version: the kernel cuts them for one who does not take them" "$(cat "$WORK/cut")" "1200*100 7*1"
    train off uso
    is "IPv$version: nobody has to cut them" "$(cat "$WORK/cut")" "1200*100 7*1"
done
finish
