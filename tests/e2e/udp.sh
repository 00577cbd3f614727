#!/usr/bin/env bash
#
# UDP between the kernel's programs and peer, over both versions of IP: the small services, at each of
# the node's addresses, and what comes of datagrams that nobody takes.

. "$(dirname "$0")/lib.sh"
need nc curl
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
finish
