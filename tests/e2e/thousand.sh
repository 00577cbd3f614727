#!/usr/bin/env bash
#
# 1,000 connections at once between a node on tun0 and peer: each echoes, none is closed before all
# of them are up, then all are closed in order.

. "$(dirname "$0")/lib.sh"
need curl
need_tun

net_up
peer_start
host --port 7 --connections 1000 --bytes 5000 >"$WORK/host.out" 2>"$WORK/host.err"
is "host exits 0" $? 0
sed 's/^/    /' "$WORK/host.err"
check "1,000 connections were open at once, after so many retransmits" \
    grep -qE "1000 connections open at once after .* m?s, [0-9]+ retransmits?$" "$WORK/host.err"
check "each echoed 5,000 bytes, and all were closed in order" \
    grep -q "1000 connections, 5000000 bytes sent and 5000000 received, all right and all closed" \
    "$WORK/host.err"

# Peer agrees, and has none of them left but the one that asks.
check "peer tells what it knows" peer_tells "$WORK/status.json"
is "peer accepted them all, and this one" "$(told "$WORK/status.json" accepted)" 1001
is "1,000 were open at once there, too" "$(told "$WORK/status.json" connections_peak)" 1000
is "none of them is left" "$(told "$WORK/status.json" connections)" 1
for why in drop.buffer drop.tcp.table_full drop.tcp.reassembly; do
    is "peer counted no $why" "$(told "$WORK/status.json" $why)" 0
done
check "peer received all bytes" test "$(told "$WORK/status.json" bytes_in)" -ge 5000000

# The session's port, whose connections peer tells one by one, but for a crowd.
host --connections 1000 >"$WORK/host.out" 2>"$WORK/host.err"
for what in "connected" "closed in order"; do
    check "a crowd $what: peer counts it" \
        wait_for 10 grep -qE "^peer: \.\.\. and 9[0-9][0-9] more $what$" "$WORK/peer.err"
done
is "and says few lines" "$(($(wc -l <"$WORK/peer.err") < 60))" 1

# A port that does not echo: a word after three seconds, and an end.
"$BIN/host" --port 9 --connections 5 --connect-timeout 4 tun0 10.0.0.1/24 10.0.1.5 \
    >"$WORK/host.out" 2>"$WORK/host.err"
is "no echo: exit 1" $? 1
check "no echo: what is missing is said while it waits" grep -qF \
    "host: no progress for 3 s: 0 of 5120 bytes back (does port 9 echo?); still waiting" "$WORK/host.err"
check "no echo: and when it gives up" grep -qE \
    "host: gave up after [45]\.[0-9]+ s without progress: 0 of 5120 bytes back" "$WORK/host.err"
"$BIN/host" --port 9 --connections 5 tun0 10.0.0.1/24 10.0.1.5 2>"$WORK/stopped.err" &
host=$!
wait_for 5 grep -q "5 connections open" "$WORK/stopped.err"
stop $host INT
is "stopped: exit 1" $? 1
check "stopped: how far it came" grep -q "host: stopped: 0 of 5120 bytes back" "$WORK/stopped.err"
stop $peer
is "peer exits 0" $? 0

# A peer whose table is full: what came back came from a port that echoes, so another question is asked.
peer_start --max-connections 100
host --connections 200 --connect-timeout 4 >"$WORK/host.out" 2>"$WORK/host.err"
is "no room at peer: exit 1" $? 1
check "no room at peer: host asks for --max-connections" grep -q \
    "no progress for 3 s: 102400 of 204800 bytes back (.*--max-connections enough?); still waiting" "$WORK/host.err"
stop $peer

# Stopped in the middle of very much: resets that find no room behind the data, or come behind a gap.
peer_start
"$BIN/host" --port 7 --connections 400 --bytes 30000000 tun0 10.0.0.1/24 10.0.1.5 >"$WORK/host.out" 2>&1 &
host=$!
sleep 0.6
stop $host INT
is "stopped among much data: exit 1" $? 1
check "peer tells how many are left" peer_tells "$WORK/status.json"
left=$(told "$WORK/status.json" connections)
is "of 400 connections few are left to peer ($left)" $((left <= 20)) 1
stop $peer KILL # it would wait for those
finish
