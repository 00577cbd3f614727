#!/usr/bin/env bash
#
# A path that gets narrow in the middle of a transfer, and wide again: once ICMP says so, once a
# firewall takes that away. Over both versions of IP, from host to peer and from host to a kernel:
#
#   host == tun0 == kernel (forwards) == tun1, MTU 1,280 for a while == peer
#                                     == a veth, the same == kernel of another namespace
#
# host forgets after a second what it knows of a path, so that a larger MTU is found again soon.

. "$(dirname "$0")/lib.sh"
need nc curl iptables
need_tun

net_up
head -c 262144 /dev/urandom >"$WORK/chunk"

# What host knows of its path's MTU, and one of its counters.
ask()
{
    "$BIN/host" --status --json >"$WORK/status.json" 2>/dev/null
    told "$WORK/status.json" "$1"
}

pmtu_is()
{
    local mtu

    mtu=$(ask pmtu)
    [ "$mtu" -ge "$1" ] && [ "$mtu" -le "$2" ]
}

# waits WHAT SECONDS LEAST MOST: until host's segments make packets of such sizes.
waits()
{
    local from=$EPOCHREALTIME

    if wait_for "$2" pmtu_is "$3" "$4"; then
        ok "$1 ($(ask pmtu) bytes, after $(((${EPOCHREALTIME/./} - ${from/./}) / 1000)) ms)"
    else
        not_ok "$1" "$(ask pmtu) after $2 s" "$(cat "$WORK/status.json")"
    fi
}

# moves WHAT: bytes go on being acknowledged.
moves()
{
    local before

    before=$(ask bytes_acked)
    check "$1" wait_for 5 more_than "$before"
}

# How many timeouts were none that a slow machine brings about: what came late all the same undoes those.
timeouts()
{
    local late=$(($(ask recovery.undo.frto) + $(ask recovery.undo.echo) + $(ask recovery.undo.dsack)))
    local all

    all=$(ask timer.rto)
    echo $((all > late ? all - late : 0))
}

more_than()
{
    [ "$(ask bytes_acked)" -gt $(($1 + 65536)) ]
}

# Chunks, until the file `stop` is there; $WORK/sent has them all. They are less than the path carries:
# else its queue would overflow on a machine that takes long to come to the end.
feed()
{
    : >"$WORK/sent"
    while [ ! -e "$WORK/stop" ]; do
        cat "$WORK/chunk" >>"$WORK/sent"
        cat "$WORK/chunk"
        sleep 0.1
    done
}

# mute 4|6 -A|-D: the kernel says no more that packets are too big, or does again.
mute()
{
    if [ "$1" = 4 ]; then
        iptables -w "$2" OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP
    else
        ip6tables -w "$2" OUTPUT -p icmpv6 --icmpv6-type packet-too-big -j DROP
    fi
}

# narrow VERSION DEVICE TO: the four phases, while host sends to TO through DEVICE.
narrow()
{
    local v=$1 device=$2 to=$3

    wait_for 5 pmtu_is 1500 1500 || not_ok "$to: host sends" "$(cat "$WORK/host.err")"
    moves "$to: data flows"
    ip link set "$device" mtu 1280
    waits "$to: by ICMP, packets become smaller" 5 1280 1280
    moves "$to: and data flows on"
    is "$to: no timeout, but for what was only late" "$(timeouts)" 0
    is "$to: no loss" "$(ask recovery.enter)" 0
    ip link set "$device" mtu 1500
    waits "$to: a rise is found by a probe" 10 1500 1500
    mute "$v" -A
    ip link set "$device" mtu 1280
    waits "$to: without ICMP, a size that passes is found by probes" 20 1265 1280
    moves "$to: and data flows on"
    [ "$(ask mtu.black_hole)" -gt 0 ] || not_ok "$to: a black hole was seen"
    ip link set "$device" mtu 1500
    waits "$to: and a rise again" 10 1500 1500
    mute "$v" -D
}

# run VERSION DEVICE PORT OUT REMOTE: a transfer to REMOTE, whose end writes what it gets to OUT, or,
# where that is "-", sends it back.
run()
{
    local v=$1 device=$2 port=$3 out=$4 remote=$5

    rm -f "$WORK/stop"
    feed | "$BIN/host" --path-mtu-age 1 --cwnd 40 --impair 'out: rate 40mbit queue 500p' --port "$port" \
        tun0 $host_side/$prefix "$remote" >"$WORK/back" 2>"$WORK/host.err" &
    narrow "$v" "$device" "$remote"
    touch "$WORK/stop"
    wait $!
    is "$remote: host ends in order" $? 0
    [ "$out" = - ] && out=$WORK/back
    wait_for 5 test "$(stat -c %s "$out")" = "$(stat -c %s "$WORK/sent")"
    is "$remote: every byte arrived" "$(sum "$out")" "$(sum "$WORK/sent")"
}

for version in 4 6; do
    if ! can_speak $version; then
        skip "over IPv6" "this kernel has no IPv6"
        continue
    fi
    speak $version
    peer_start
    run $version tun1 7 - $peer_at
    stop $peer
done

if ! far_up far 0; then
    skip "to a kernel" "no second namespace here: $(head -1 "$WORK/far.err")"
    finish
fi
for version in 4 6; do
    can_speak $version || continue
    speak $version
    far=10.9.0.2
    [ $version = 4 ] || far=fd00:9:0::2
    ip netns exec far nc -$version -l -p 9000 >"$WORK/got" </dev/null &
    sink=$!
    wait_for 5 ip netns exec far sh -c "ss -ltn | grep -q :9000"
    run $version far0 9000 "$WORK/got" $far
    stop $sink
done
finish
