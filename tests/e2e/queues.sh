#!/usr/bin/env bash
#
# Several queues: both nodes are four threads, each with a queue of its TUN. 200 connections with
# checked data, more than one queue used at either end, what came by the wrong queue handed over; an
# ordinary host at such a TUN, with a file there and back; connections that were silent for longer than
# the kernel remembers their queue (4 s at most); fragments; a second process; the end.

. "$(dirname "$0")/lib.sh"
need sha256sum nc
need_tun

# in_queues FILE NAME: what the threads say of it, a number for each.
in_queues()
{
    tr ',{}' '\n\n\n' <"$1" | awk -F: -v name="\"$2\"" '$1 == name { printf "%s%s", n++ ? " " : "", $2 }'
}

add()
{
    echo "$1" | awk '{ for (i = 1; i <= NF; i++) n += $i; print n + 0 }'
}

"$BIN/netsetup" --queues up >"$WORK/netsetup.out" 2>&1 || not_ok "netsetup up --queues" "$(cat "$WORK/netsetup.out")"
peer_start --queues 4
silent=
for i in 1 2 3 4 5 6 7 8; do
    (echo before; sleep 4.4; echo after) | nc -N $peer_at 8000 >"$WORK/silent$i" &
    silent="$silent $!"
done
wait_for 5 grep -q before "$WORK/silent8"
host --queues 4 --connections 200 --bytes 50000 >"$WORK/host.out" 2>"$WORK/host.err"
is "host exits 0" $? 0
sed 's/^/    /' "$WORK/host.err"
check "200 connections were open at once" grep -q "200 connections open at once" "$WORK/host.err"
check "each byte came back right, and all were closed in order" grep -q \
    "200 connections, 10000000 bytes sent and 10000000 received, all right and all closed" "$WORK/host.err"

"$BIN/peer" --status --json >"$WORK/status.json"
is "peer --status --json: it answers" $? 0
accepted=$(in_queues "$WORK/status.json" accepted)
is "peer accepted 200 and the silent ones, in four threads" \
    "$(echo "$accepted" | wc -w) $(add "$accepted")" "4 208"
check "each had some of them ($accepted)" awk -v all="$accepted" \
    'BEGIN { n = split(all, a, " "); for (i = 1; i <= n; i++) if (a[i] + 0 < 10) exit 1 }'
read_by=$(in_queues "$WORK/status.json" packets_in)
check "each read its queue ($read_by packets)" awk -v all="$read_by" \
    'BEGIN { n = split(all, a, " "); for (i = 1; i <= n; i++) if (a[i] + 0 < 100) exit 1 }'
moved=$(add "$(in_queues "$WORK/status.json" queue.handed_over)")
check "what came by a wrong queue was handed over: $moved packets" test "$moved" -gt 0
is "none was lost on the way" "$(add "$(in_queues "$WORK/status.json" drop.queue.full)")" 0
is "nobody met a stranger" "$(add "$(in_queues "$WORK/status.json" drop.tcp.no_connection)")" 0
is "peer --status: a heading for each thread" "$("$BIN/peer" --status | grep -c "^peer 10.0.1.5 on tun1")" 4

"$BIN/peer" --queues 2 tun1 10.0.1.1/24 10.0.0.7 >/dev/null 2>"$WORK/second.err" </dev/null
is "a second process at the TUN: exit 5" $? 5
check "... which says why" grep -q "another process has it open" "$WORK/second.err"
"$BIN/peer" tun1 10.0.1.1/24 10.0.0.7 >/dev/null 2>"$WORK/second.err" </dev/null
is "... without --queues, too" $? 5
# shellcheck disable=SC2086
wait $silent
is "after a long silence all is as before" "$(cat "$WORK"/silent? | sort | uniq -c | tr -s ' \n' ' ')" " 8 after 8 before "
"$BIN/peer" --status --json >"$WORK/status.json"
later=$(add "$(in_queues "$WORK/status.json" queue.handed_over)")
check "their packets came by other queues: $((later - moved)) more handed over" test "$later" -gt "$moved"
is "still nobody met a stranger" "$(add "$(in_queues "$WORK/status.json" drop.tcp.no_connection)")" 0

# An ordinary host takes one queue of such a TUN.
head -c 20000000 /dev/urandom >"$WORK/file"
host <"$WORK/file" >"$WORK/back" 2>"$WORK/host.err"
is "a host of one thread: exit 0" $? 0
is "its file comes back whole" "$(sum "$WORK/back")" "$(sum "$WORK/file")"

# Pings in fragments, whose parts may come by different queues.
check "ping answers" answers $peer_at
check "ping in fragments answers" ping -c 3 -i 0.2 -s 20000 -W 2 $peer_at

stop $peer
is "peer exits 0" $? 0
is "and says so once" "$(grep -c "^peer: stopped" "$WORK/peer.err")" 1

# What each thread meets is said once: the TUN is down, nothing goes forward, the TUN is gone.
ip link set tun0 down
host --queues 4 --connections 20 --connect-timeout 4 >/dev/null 2>"$WORK/down.err" </dev/null
is "a host whose TUN is down: exit 1" $? 1
is "... says so once" "$(grep -c "^host: tun0 is down" "$WORK/down.err")" 1
is "... and once that nothing goes forward, of the queue that noticed" "$(grep "no progress" "$WORK/down.err" |
    sed '1s/queue [0-3]/queue N/')" "host: queue N, no progress for 3 s: 0 of 5 connections open; still waiting"
ip link set tun0 up
peer_start --queues 4
ip link del tun1
wait $peer
is "a peer whose TUN is deleted: exit 1" $? 1
is "... says why once" "$(grep -c "^peer: tun1 was deleted" "$WORK/peer.err")" 1

# A TUN of one queue.
"$BIN/netsetup" down >/dev/null 2>&1
net_up
"$BIN/peer" --queues 4 tun1 10.0.1.1/24 10.0.0.7 >/dev/null 2>"$WORK/one.err" </dev/null
is "a TUN of one queue: exit 5" $? 5
check "... and what to do" grep -q "takes no several queues.*as root: .*netsetup down, then .*netsetup up --queues" "$WORK/one.err"

# What is for one thread only is refused.
for what in "--pcap $WORK/x" "--trace $WORK/x" -v "--seed 1" "--impair 'loss 1%'" --once "--session chat"; do
    eval "\"$BIN/peer\" --queues 2 $what tun1 10.0.1.1/24 10.0.0.7" >/dev/null 2>"$WORK/no.err" </dev/null
    is "--queues with $what: exit 2" $? 2
    check "... one line" test "$(wc -l <"$WORK/no.err")" = 1
done
finish
