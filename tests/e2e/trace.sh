#!/usr/bin/env bash
#
# --trace on host and peer over the real kernel, which loses a packet now and then: both files are
# read back as a viewer does, joined, and each segment that came has the one that was sent.

. "$(dirname "$0")/lib.sh"
need iptables
need_tun
OFFLOAD=off # many packets, of which some are lost

TOOLS=${BIN%/bin}
[ "$TOOLS" = build ] && TOOLS=build/release
CHECK=$TOOLS/tools/tracecheck

# look FILE: what tracecheck says of it, in $seen; false if something is wrong with it.
look()
{
    seen=$("$CHECK" "$1" 2>&1) && return
    not_ok "$1 is a good trace" "$seen"
    return 1
}

# of NAME: that number in $seen
of()
{
    echo "$seen" | tr ' ' '\n' | sed -n "s/^$1=//p"
}

net_up
head -c 2000000 /dev/urandom >"$WORK/file"
if ! iptables -w -A FORWARD -i tun0 -p tcp -m length --length 800:1500 \
    -m statistic --mode nth --every 400 --packet 199 -j DROP 2>"$WORK/rule.err"; then
    echo "skip - $NAME # no rule that drops some: $(head -1 "$WORK/rule.err")"
    exit 77
fi
peer_start --trace "$WORK/peer.json"
host --trace "$WORK/host.json" <"$WORK/file" >"$WORK/back" 2>"$WORK/host.err"
is "host ends in order" $? 0
is "2 MB there and back, some of it lost" "$(sum "$WORK/back")" "$(sum "$WORK/file")"
dropped=$(iptables -w -nvxL FORWARD | awk '/DROP/ { print $1 }')
check "the path lost $dropped packets" test "$dropped" -ge 1

# Peer's file is read while peer runs, as somebody does who cannot wait; then peer is told to stop.
sleep 0.2
if look "$WORK/peer.json"; then
    is "a trace that is not done yet has no end" "$(of whole) $(of lost)" "0 -1"
fi
stop $peer
is "peer ends in order" $? 0

for node in host peer; do
    look "$WORK/$node.json" || continue
    ok "$node.json is good: $seen"
    is "$node: nothing is missing, and it says so" "$(of whole) $(of lost) $(of said)" "1 0 $(of events)"
    is "$node: every slice has an end" "$(of open)" 0
    eval "${node}_sent=$(of sent) ${node}_received=$(of received) ${node}_unshown=$(of unshown)"
    check "$node: its states, from the opening to the end ($(of states))" \
        test "$(of states)" -ge 4
    check "$node: timers ($(of timers))" test "$(of timers)" -ge 2
done
is "host: every counter is there" "$host_unshown" 0
is "all that host sent came, but for what the path lost" "$peer_received" \
    "$((host_sent - dropped))"
for what in recovery.enter send.ack.duplicate user.send user.receive end.orderly; do
    check "$what is told" grep -q "\"name\":\"$what\"" "$WORK/host.json" "$WORK/peer.json"
done
is "whatever was sent says why, and where that stands" \
    "$(grep '"name":"send\.' "$WORK"/*.json | grep -cvE '"reason":"[^"]+","source":"[^"]+"')" 0
again='"name":"send\.(fast_retransmit|recovery|sack|rack|tlp|rto)'
check "what was sent again is told apart" grep -qE "$again" "$WORK/host.json" "$WORK/peer.json"

check "the traces can be joined" \
    sh -c "$BIN/host --trace-join $WORK/host.json $WORK/peer.json >$WORK/both.json"
if look "$WORK/both.json"; then
    is "joined: every segment that came has the one that was sent" "$(of joined)" "$(of arrows)"
    is "joined: none is missing" "$(of arrows)" "$((host_received + peer_received))"
fi
iptables -w -F FORWARD

# An impaired path: what it did to a packet stands at the packet.
peer_start --trace "$WORK/peer.json"
head -c 300000 "$WORK/file" | host --impair 'out: loss 3%' --seed 7 --trace "$WORK/host.json" \
    >"$WORK/back" 2>"$WORK/host.err"
stop $peer
lost=$(grep -c '"ph":"i".*"name":"impair.lost","args":{"reason":"[^"]' "$WORK/host.json")
check "an impaired path lost $lost packets, and the trace shows it" test "$lost" -ge 1
if look "$WORK/host.json"; then
    sent=$(of sent)
    look "$WORK/peer.json" && is "all others came" "$(of received)" "$((sent - lost))"
fi
check "each lost packet says so itself" \
    test "$(grep -c '"ph":"X".*"path[ 0-9]*":"impair.lost: ' "$WORK/host.json")" -eq "$lost"

# SIGTERM in the middle closes in order, and the file is whole.
mkfifo "$WORK/input"
peer_start --trace "$WORK/term.json"
host <"$WORK/input" >"$WORK/back" 2>"$WORK/host.err" &
host=$!
exec 3>"$WORK/input"
echo hello >&3
wait_for 5 grep -q hello "$WORK/back"
stop $peer
exec 3>&-
wait $host
look "$WORK/term.json" &&
    is "SIGTERM in the middle: whole, all slices ended" "$(of whole) $(of lost) $(of open)" "1 0 0"

# SIGKILL leaves what was seen until then.
peer_start --trace "$WORK/kill.json"
echo hello | host >"$WORK/back" 2>"$WORK/host.err"
wait_for 5 eval '[ "$("$CHECK" "$WORK/kill.json" | tr " " "\n" | sed -n "s/^received=//p")" -ge 4 ]'
stop $peer KILL
ip link show tun1 >/dev/null 2>&1 || net_up
look "$WORK/kill.json" && check "SIGKILL: what was seen until then ($seen)" test "$(of received)" -ge 4

# A reader that has stopped does not stop the node, and what it missed is said.
mkfifo "$WORK/pipe"
sleep 1000 <"$WORK/pipe" &
reader=$!
head -c 12000000 /dev/zero >"$WORK/file"
peer_start
host --trace "$WORK/pipe" <"$WORK/file" 2>"$WORK/host.err" | cmp - "$WORK/file"
status=${PIPESTATUS[*]}
is "a trace whose reader has stopped makes the exit code 1, and no more" "$status" "1 0"
check "and is told" grep -Eq 'trace .* is not whole: its reader was too slow for [1-9][0-9]* events' \
    "$WORK/host.err"
stop $reader KILL
finish
