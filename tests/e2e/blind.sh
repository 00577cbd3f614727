#!/usr/bin/env bash
#
# Blind attacks (RFC 5961) at a connection while it carries a transfer: resets and SYNs in the
# window, and data whose acknowledgment is out of range, thousands of them. What arrives is what was
# sent, the connection ends in order, and the answers are limited.

. "$(dirname "$0")/lib.sh"
need curl sha256sum
need_tun
tools=build/release/tools
head -c 16000000 /dev/urandom >"$WORK/file"

# Slower than it could be, so that there is something to strike at.
slowly()
{
    for ((i = 0; i < 160; i++)); do
        dd if="$WORK/file" bs=100000 skip=$i count=1 2>/dev/null
        sleep 0.02
    done
}

# attack DEVICE PEER NODE: in the background, as soon as there is a transfer; its pid is $striker.
attack()
{
    rm -f "$WORK/blind.err"
    "$tools/blind" "$@" 8000 2500 >"$WORK/blind" 2>"$WORK/blind.err" &
    striker=$!
    wait_for 5 grep -q listening "$WORK/blind.err"
}

# struck WHAT: how often, by the tool's own count.
struck()
{
    local n

    wait $striker
    is "$1: all strikes could be written" $? 0
    echo "    $1: $(cat "$WORK/blind")"
    n=$(sed -n 's/^RST \([0-9]*\) .*/\1/p' "$WORK/blind")
    check "$1: there were 500 of each kind and more" test "${n:-0}" -ge 500
}

net_up

# At peer, which sends: its session is its standard input, and its status page tells what it dropped.
mkfifo "$WORK/in"
"$BIN/peer" --session cat tun1 10.0.1.1/24 10.0.0.7 <"$WORK/in" >"$WORK/peer.out" 2>"$WORK/peer.err" &
peer=$!
exec 7>"$WORK/in"
wait_for 5 grep -q " ready on " "$WORK/peer.err" || not_ok "peer starts" "$(cat "$WORK/peer.err")"
attack tun1 10.0.0.7 10.0.1.5
host </dev/null >"$WORK/back" 2>"$WORK/host.err" 7>&- & # or the end of input would not be one
host=$!
slowly >&7 &
feeder=$!
struck "at peer"
check "peer tells what it dropped" peer_tells "$WORK/status.json"
wait_for 15 gone $feeder || stop $feeder
exec 7>&-
wait_for 10 gone $host || stop $host INT
wait $host
is "at peer: host exits 0" $? 0
is "at peer: what arrived is what was sent" "$(sum "$WORK/back")" "$(sum "$WORK/file")"
for why in rst_challenged syn_challenged ack_future ack_old; do
    check "at peer: drop.tcp.$why was counted" test "$(told "$WORK/status.json" drop.tcp.$why)" -ge 100
done
challenges=$(told "$WORK/status.json" send.ack.challenge)
echo "    at peer: $challenges challenge ACKs"
check "at peer: challenge ACKs, and no more than 100 in a second" test "$challenges" -ge 1 -a "$challenges" -le 1200
stop $peer

# At host, which sends; peer echoes nothing, so what host expects stands still.
"$BIN/peer" --session cat --once tun1 10.0.1.1/24 10.0.0.7 </dev/null >"$WORK/at-peer" \
    2>"$WORK/peer.err" &
peer=$!
wait_for 5 grep -q " ready on " "$WORK/peer.err" || not_ok "peer starts" "$(cat "$WORK/peer.err")"
attack tun0 10.0.1.5 10.0.0.7
slowly | timeout 30 "$BIN/host" tun0 10.0.0.1/24 10.0.1.5 >/dev/null 2>"$WORK/host.err"
is "at host: host exits 0" "$?" 0
struck "at host"
wait_for 10 gone $peer || stop $peer
is "at host: what arrived is what was sent" "$(sum "$WORK/at-peer")" "$(sum "$WORK/file")"
finish
