#!/usr/bin/env bash
#
# make demo: see it happen. In a private network namespace, which vanishes afterwards: set up the
# lab, start peer, let host carry a file there and back, draw what passed, tear everything down.
# The captures and logs stay in build/demo/.

set -u
cd "$(dirname "$0")/.." || exit 1
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
BIN=build/bin
OUT=build/demo
HOST=10.0.0.7 PEER=10.0.1.5
SIZE=4194304

say()
{
    echo
    echo "== $*"
}

# Where to run, and why there.
enter()
{
    if unshare -Urnm true 2>/dev/null; then
        echo "twintun demo: in a private network namespace, without root (unshare -Urn); nothing"
        echo "here touches this machine's own network."
        TWINTUN_DEMO=inside exec unshare -Urnm bash "$0"
    elif [ "$(id -u)" -eq 0 ] && unshare -nm true 2>/dev/null; then
        echo "twintun demo: in a private network namespace, as root (unshare -n), because this"
        echo "system allows none without; nothing here touches this machine's own network."
        TWINTUN_DEMO=inside exec unshare -nm bash "$0"
    fi
    without_tun "this system allows no private network namespace"
}

hashes()
{
    local there back

    there=$(sha256sum <$OUT/file) back=$(sha256sum <$OUT/back)
    echo "  sent      $SIZE bytes   sha256 ${there%% *}"
    echo "  came back $(wc -c <$OUT/back) bytes   sha256 ${back%% *}"
    if [ "$there" != "$back" ]; then
        echo "  THEY DIFFER: see $OUT/host.log"
        return 1
    fi
    echo "  equal"
}

# The same two nodes in one process, when there is no TUN to be had.
without_tun()
{
    echo "twintun demo: $1."
    echo "So no packet can cross the kernel here: both nodes run in one process, joined by an"
    echo "in-memory wire. What follows shows the stacks, not the kernel's part."
    head -c $SIZE /dev/urandom >$OUT/file
    say "host connects, sends a file of 4 MiB, and gets it back"
    $BIN/host --in-memory -v --pcap $OUT/host.pcapng tun0 10.0.0.1/24 $PEER \
        <$OUT/file >$OUT/back 2>$OUT/host.log || failed "host" $OUT/host.log
    ladder -v alone=1 $OUT/host.log
    say "the file"
    hashes || exit 1
    say "what host says"
    grep -hE '^host: .*[0-9] - [0-9]' $OUT/host.log | sed 's/^/  /'
    say "the capture, for Wireshark or tcpdump -r: $OUT/host.pcapng"
    exit 0
}

failed()
{
    echo "$1 failed:"
    grep -v ' IP ' "$2"
    $BIN/netsetup down >/dev/null 2>&1
    exit 1
}

ladder()
{
    echo
    awk -v host=$HOST -v peer=$PEER -f tests/ladder.awk "$@"
}

finish()
{
    [ -z "${peer-}" ] || kill "$peer" 2>/dev/null
}

run()
{
    mount -t tmpfs tmpfs /run
    ip link set lo up
    if ! ip tuntap add dev probe0 mode tun 2>$OUT/tun.err; then
        without_tun "no TUN to be had ($(cat $OUT/tun.err))"
    fi
    ip link del probe0
    trap finish EXIT

    say "netsetup up: two TUNs, addresses, forwarding, and two rules that exempt them from tracking"
    $BIN/netsetup -v up 2>&1 || exit 1

    say "peer serves at $PEER behind tun1; host, at $HOST behind tun0, sends it a file of 4 MiB"
    echo "   and gets it back (peer's session is an echo)"
    $BIN/peer -v --once --pcap $OUT/peer.pcapng tun1 10.0.1.1/24 $HOST </dev/null \
        >/dev/null 2>$OUT/peer.log &
    peer=$!
    for _ in $(seq 100); do
        grep -q ready $OUT/peer.log && break
        sleep 0.02
    done
    head -c $SIZE /dev/urandom >$OUT/file
    $BIN/host -v --pcap $OUT/host.pcapng tun0 10.0.0.1/24 $PEER \
        <$OUT/file >$OUT/back 2>$OUT/host.log || failed "host" $OUT/host.log
    wait $peer
    status=$?
    peer=
    [ $status -eq 0 ] || failed "peer" $OUT/peer.log
    ladder $OUT/host.log $OUT/peer.log

    say "the file"
    hashes || exit 1
    say "what the nodes say"
    grep -hE '^(host|peer): .*[0-9] - [0-9]' $OUT/host.log $OUT/peer.log | sed 's/^/  /'
    say "netsetup down: everything is as it was"
    $BIN/netsetup down 2>&1 || exit 1
    say "both captures, for Wireshark or tcpdump -r"
    echo "  $OUT/host.pcapng   what host saw on tun0"
    echo "  $OUT/peer.pcapng   what peer saw on tun1"
}

if [ -z "${TWINTUN_DEMO-}" ]; then
    mkdir -p $OUT
    rm -f $OUT/*
    enter
fi
run
