#!/usr/bin/env bash
#
# make demo: see it happen. `netsetup run --rootless` sets up the lab in a private network namespace,
# and starts this again in it: start peer, let host carry a file there and back, draw what passed.
# The captures and logs stay in build/demo/. The nodes run in the background and the script waits
# for them, so that a signal is noticed at once.

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

# Ctrl-C: what this started ends here; the namespace, and what is in it, goes with the last of them.
stopped()
{
    trap '' INT TERM HUP
    exec 2>/dev/null
    # shellcheck disable=SC2046
    kill -KILL $(jobs -p)
    wait
    echo
    echo "twintun demo: stopped; nothing is left"
    exit $((128 + $1))
}

# An earlier run by root leaves a folder that only root can write to.
make_room()
{
    local dir=$OUT

    mkdir -p $OUT 2>/dev/null
    [ -e $OUT ] || dir=build
    if [ ! -e $OUT ] || [ ! -w $OUT ]; then
        echo "twintun demo: $dir is not yours to write (owner: $(stat -c %U $dir));" \
            "remove it: sudo rm -rf build" >&2
        exit 4
    fi
    rm -f $OUT/*
}

# Where to run, and why there. First a trial, which also says why not.
enter()
{
    local why

    if ! why=$($BIN/netsetup -q run --rootless -- test -w $OUT 2>&1); then
        without_tun "no TUN to be had: $(sed -n '$s/^netsetup: //p' <<<"${why:-$OUT cannot be written there}")"
    fi
    if [ "$(id -u)" -eq 0 ]; then
        echo "twintun demo: in a private network namespace, as root (netsetup run --rootless);"
    else
        echo "twintun demo: in a private network namespace, with a user namespace of its own"
        echo "(netsetup run --rootless), which needs no root;"
    fi
    echo "nothing here touches this machine's own network."
    say "netsetup up: two TUNs, addresses, forwarding, and rules that exempt them from tracking"
    TWINTUN_DEMO=inside exec $BIN/netsetup -v run --rootless -- bash "$0" 2>&1
}

# In the background, as bash stumbles over a trap within $( ).
hashes()
{
    local there back

    sha256sum <$OUT/file >$OUT/sums && sha256sum <$OUT/back >>$OUT/sums &
    wait $!
    { read -r there _ && read -r back _; } <$OUT/sums
    rm $OUT/sums
    echo "  sent sha256 $there"
    echo "  back sha256 $back"
    if [ "$there" != "$back" ]; then
        echo "  THEY DIFFER, $SIZE bytes and $(wc -c <$OUT/back): see $OUT/host.log"
        return 1
    fi
    echo "  equal"
}

# The summary line of each node, in a terminal's width.
summaries()
{
    local line

    grep -hE '^(host|peer): .*[0-9] - [0-9]' "$@" | while IFS= read -r line; do
        fold -s -w 73 <<<"$line" | sed '1s/^/  /; 2,$s/^/        /; s/ *$//'
    done
}

# what_next CAPTURE...
what_next()
{
    say "what next"
    echo "  The captures, for Wireshark or tcpdump -r:"
    printf '    %s\n' "$@"
    echo "  Each packet that a node sent, with the reason why:"
    echo "    tshark -r $OUT/host.pcapng -T fields \\"
    echo "        -e frame.number -e _ws.col.Info -e frame.comment"
}

# The same two nodes in one process, when there is no TUN to be had.
without_tun()
{
    fold -s -w 79 <<<"twintun demo: $1."
    echo "So no packet can cross the kernel here: both nodes run in one process, joined by an"
    echo "in-memory wire. What follows shows the stacks, not the kernel's part."
    head -c $SIZE /dev/urandom >$OUT/file
    say "host connects, sends a file of 4 MiB, and gets it back"
    $BIN/host --in-memory -v --pcap $OUT/host.pcapng tun0 10.0.0.1/24 $PEER \
        <$OUT/file >$OUT/back 2>$OUT/host.log &
    wait $! || failed "host" $OUT/host.log
    ladder -v alone=1 $OUT/host.log
    say "the file, $SIZE bytes"
    hashes || exit 1
    say "what host says"
    summaries $OUT/host.log
    what_next "$OUT/host.pcapng   what host saw"
    exit 0
}

failed()
{
    echo "$1 failed:"
    grep -v ' IP ' "$2"
    exit 1
}

ladder()
{
    echo
    awk -v host=$HOST -v peer=$PEER -f tests/ladder.awk "$@"
}

finish()
{
    [ -z "$peer" ] || kill "$peer" 2>/dev/null
}

run()
{
    trap finish EXIT
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
        <$OUT/file >$OUT/back 2>$OUT/host.log &
    wait $! || failed "host" $OUT/host.log
    wait $peer
    status=$?
    peer=
    [ $status -eq 0 ] || failed "peer" $OUT/peer.log
    ladder $OUT/host.log $OUT/peer.log

    say "the file, $SIZE bytes"
    hashes || exit 1
    say "what the nodes say"
    summaries $OUT/host.log $OUT/peer.log
    say "the network vanishes with this process: nothing is left"
    what_next "$OUT/host.pcapng   what host saw on tun0" \
        "$OUT/peer.pcapng   what peer saw on tun1"
    echo "  The lab on this machine, to type into, in two terminals:"
    echo "    make network, then make run-peer and make run-host; make clean_network"
}

peer=
trap 'stopped 2' INT
trap 'stopped 15' TERM
trap 'stopped 1' HUP
if [ -z "${TWINTUN_DEMO-}" ]; then
    make_room
    enter
fi
run
