#!/usr/bin/env bash
#
# traceroute and tracepath from a kernel two hops away, over both versions of IP: peer answers the
# probes of each kind as a host does, and a smaller MTU on the way is found.
#
#   [far] === here, which forwards === tun1 === peer
#   10.9.0.2  10.9.0.1                          10.0.1.5
#   fd00:9::2 fd00:9::1                         fd00:1::5

. "$(dirname "$0")/lib.sh"
need ping
need_tun

# hops NAME BYTES OPTION...: the way to peer by such probes is the router, then peer, no probe lost.
hops()
{
    local what=$1 bytes=$2 out
    shift 2

    out=$($far traceroute -$version -n -q 3 -w 2 -m 5 "$@" $peer_at $bytes 2>&1)
    is "$ip: traceroute by $what: the router, then peer, and then nothing" \
        "$(awk '/^ *[0-9]/ { print $1, $2, (/\*|!/ ? "not all" : "all") }' <<<"$out" | tr '\n' ' ')" \
        "1 $router all 2 $peer_at all "
}

traces()
{
    if ! command -v traceroute >/dev/null; then
        skip "$ip: traceroute" "traceroute is not installed"
        return
    fi
    hops "UDP" ""
    hops "UDP, 4,000 bytes in fragments" 4000
    hops "ICMP" "" -I
    hops "TCP to a port where a service listens" "" -T -p 8000
    hops "TCP to one where nobody does" "" -T -p 4444
}

# finds MTU: tracepath's last line.
finds()
{
    local out

    out=$($far tracepath -$version -n -m 5 $peer_at 2>&1)
    is "$ip: tracepath: two hops there and back, and the MTU is $1" \
        "$(sed -n 's/ *Resume: *//p' <<<"$out")" "pmtu $1 hops 2 back 2 "
    check "$ip: ... and peer is reached" grep -qE "^ *2: +$peer_at .*reached" <<<"$out"
}

paths()
{
    if ! command -v tracepath >/dev/null; then
        skip "$ip: tracepath" "tracepath is not installed"
        return
    fi
    finds 1500
    ip link set tun1 mtu 1280
    finds 1280
    ip link set tun1 mtu 1500
    # What was learnt is the kernel's for ten minutes.
    $far ip -$version route flush cache 2>/dev/null
}

net_up
if ! far_up far 0; then
    skip "traceroute and tracepath" "no second namespace here: $(head -1 "$WORK/far.err")"
    finish
fi
far="ip netns exec far"
# The router's kernel tells one destination of six at once, and then of one in a second.
sysctl -qw net.ipv4.icmp_ratelimit=0
can_speak 6 && sysctl -qw net.ipv6.icmp.ratelimit=0
for version in 4 6; do
    ip=IPv$version router=10.9.0.1
    [ $version = 4 ] || router=fd00:9::1
    if ! can_speak $version; then
        skip "$ip" "this kernel has no $ip"
        continue
    fi
    speak $version
    peer_start
    check "$ip: peer answers from afar" wait_for 5 $far ping -c 1 -W 1 $peer_at
    traces
    paths
    stop $peer
done
finish
