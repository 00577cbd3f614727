#!/usr/bin/env bash
#
# N connections at once between two nodes, through the kernel: first idle ones, how long it takes to
# open them, what each costs in resident memory at both ends, and how long --status takes about them;
# then host's, each of which has a byte echoed and is closed in order.
#
#   tests/bench/many.sh [N]        a million without N; make many
#
# Memory is that of those behind the first thousand, and comes in pages: so N is 2,000 at least. Large
# pages, which come whole, are done without where they are much beside it.
# One address has 64,512 ports towards one port of peer, so host's side has an address for every
# 33,000; it may have 32, so N is a million at most. A connection that costs more than 512 bytes at either end is a failure.

N=${1:-1000000}
if ! [[ $N =~ ^[0-9]{4,7}$ && ${N#0} = "$N" && $N -ge 2000 && $N -le 1000000 ]]; then
    echo "many: '$N' is no number from 2000 to 1000000" >&2
    exit 2
fi

. "$(dirname "$0")/../e2e/lib.sh"
need_tun
B=${BENCH:-build/release/bench}
[ "$N" -ge 500000 ] || peer_by=$B/pages
locals=$(seq -f '--local 10.0.0.%.0f' 10 $((10 + N / 33000)))

# Are they there, or has the client given up?
all_open()
{
    grep -q "^bytes" "$WORK/idle" || gone $client
}

net_up
peer_start --max-connections $((N + N / 8))
# shellcheck disable=SC2086
$peer_by "$B/client" --idle "$N" --hold 60 --watch $peer --port 9 --quiet $locals tun0 10.0.0.1/24 10.0.1.5 \
    >"$WORK/idle" 2>"$WORK/idle.err" &
client=$!
wait_for 100 all_open
check "$N connections are open at once" grep -qx "conns $N" "$WORK/idle"
sed -e 's/^conns \(.*\)/\1 connections/' -e 's/^open_s \(.*\)/opened in \1 s/' \
    -e "s/^far_bytes \\(.*\\)/peer's memory grew by \\1 bytes for each/" \
    -e "s/^bytes \\(.*\\)/host's memory grew by \\1 bytes for each/" -e 's/^/    /' "$WORK/idle" "$WORK/idle.err"
check "each costs at most 512 bytes at either end" awk \
    '$1 ~ /bytes/ { n++; if ($2 > 512) bad = 1 } END { exit bad || n != 2 }' "$WORK/idle"

before=$(date +%s%N)
check "--status tells of them" "$BIN/peer" --status
"$BIN/peer" --status >"$WORK/status"
echo "    twice in $((($(date +%s%N) - before) / 1000000)) ms: $(tail -1 "$WORK/status")"
check "the first thousand, and how many more there are" \
    grep -qx "and $((N - 1000)) more: $((N - 1000)) ESTABLISHED; --json lists them all" "$WORK/status"
is "that is a thousand" "$(grep -c ^ESTABLISHED "$WORK/status")" 1000
stop $client
stop $peer KILL # it would wait for ends whose resets the queue had no room for

peer_by=
peer_start --max-connections $((N + N / 8))
# shellcheck disable=SC2086
host --connections "$N" --bytes 1 --port 7 $locals >/dev/null 2>"$WORK/host.err"
is "host exits 0" $? 0
sed 's/^/    /' "$WORK/host.err"
check "a byte came back on each of $N, and each was closed in order" grep -q \
    "$N connections, $N bytes sent and $N received, all right and all closed in order" "$WORK/host.err"
stop $peer
is "peer exits 0" $? 0
finish
