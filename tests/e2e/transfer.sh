#!/usr/bin/env bash
#
# 16 MiB from host to peer, 16 MiB from peer to host, and both at once, through the kernel: the
# hashes must be equal. peer's session is "cat", which joins the connection to its standard input and
# output.

. "$(dirname "$0")/lib.sh"
need ping sha256sum
need_tun

head -c 16777216 /dev/urandom >"$WORK/ours"
head -c 16777216 /dev/urandom >"$WORK/theirs"
net_up

# carry WHAT FROM_HOST FROM_PEER: one session, with these files as the standard inputs.
carry()
{
    local start status

    "$BIN/peer" ${BUSY:+--busy-poll "$BUSY"} --session cat --once tun1 10.0.1.1/24 10.0.0.7 <"$3" >"$WORK/at-peer" \
        2>"$WORK/peer.err" &
    peer=$!
    wait_for 5 answers 10.0.1.5
    start=$(date +%s%N)
    timeout 60 "$BIN/host" ${BUSY:+--busy-poll "$BUSY"} tun0 10.0.0.1/24 10.0.1.5 <"$2" >"$WORK/at-host" 2>"$WORK/host.err"
    status=$?
    echo "    $1: $((($(date +%s%N) - start) / 1000000)) ms"
    wait_for 10 gone $peer || stop $peer
    is "$1: host exits 0" $status 0
    is "$1: what host sent arrived whole" "$(sum "$WORK/at-peer")" "$(sum "$2")"
    is "$1: what peer sent arrived whole" "$(sum "$WORK/at-host")" "$(sum "$3")"
}

carry "host to peer" "$WORK/ours" /dev/null
carry "peer to host" /dev/null "$WORK/theirs"
carry "both ways at once" "$WORK/ours" "$WORK/theirs"

# And there and back on one connection, through the echo that is peer's usual session.
peer_start
host <"$WORK/ours" >"$WORK/back" 2>"$WORK/host.err"
is "there and back: host exits 0" $? 0
is "there and back: equal" "$(sum "$WORK/back")" "$(sum "$WORK/ours")"
check "how fast that was is said" grep -qE 'received 16777216 bytes in .* \([0-9.]+ [MG]bit/s\), [0-9]+ retransmit' "$WORK/host.err"
stop $peer
is "peer exits 0" $? 0

# The same while both wait awake (--busy-poll); but when nothing comes any more, they sleep.
used() { awk '{ print $14 + $15 }' /proc/$peer/stat; } # hundredths of a second
BUSY=5ms
peer_start
host <"$WORK/ours" >"$WORK/back" 2>"$WORK/host.err"
is "there and back, awake: host exits 0" $? 0
is "there and back, awake: equal" "$(sum "$WORK/back")" "$(sum "$WORK/ours")"
sleep 0.05
before=$(used)
sleep 0.3
check "peer sleeps when there is nothing to wait for" test $(($(used) - before)) -lt 10
stop $peer
is "peer that waits awake exits 0" $? 0
for value in x -1 61 1m; do
    BUSY=$value host </dev/null >"$WORK/host.out" 2>"$WORK/host.err"
    is "--busy-poll $value: a word, and exit 2" "$? $(wc -l <"$WORK/host.err")" "2 1"
done
BUSY=1ms host --seed 1 </dev/null >"$WORK/host.out" 2>"$WORK/host.err"
is "--busy-poll and a clock that moves in steps: a word, and exit 2" "$? $(wc -l <"$WORK/host.err")" "2 1"
finish
