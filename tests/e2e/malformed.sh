#!/usr/bin/env bash
#
# Malformed packets on peer's TUN. The kernel would not forward most of them, so they are written to
# the device itself, from the kernel's side. Each must be counted by its reason, a connection that is
# open meanwhile must not notice, even where it is struck at itself, and the sanitizers must stay
# silent.

. "$(dirname "$0")/lib.sh"
need curl nc
need_tun

BIN=build/asan/bin
[ -x $BIN/peer ] || {
    echo "skip - $NAME # $BIN/peer is not built (make BUILD=asan)"
    exit 77
}
rounds=20 strikes=5

# counters FILE: "NAME COUNT" for each drop that the node has counted.
counters()
{
    curl -sS -m 5 http://10.0.1.5/status.json >"$1.json" || return 1
    tr ',{}' '\n\n\n' <"$1.json" | sed -n 's/^"\(drop\.[a-z0-9_.]*\)":\([0-9]*\)$/\1 \2/p' >"$1"
}

# compare BEFORE AFTER SENT: what was counted more than before, against what was sent. The kernel sends
# IPv6 of its own accord.
compare()
{
    awk '
        FILENAME == ARGV[1] { before[$1] = $2; next }
        FILENAME == ARGV[2] { after[$1] = $2; next }
        { sent[$1] += $2 }
        END {
            for (r in sent) {
                got = after[r] - before[r]
                good = r == "drop.ip6.chain" ? got >= sent[r] : got == sent[r]
                print (good ? "good" : "bad"), r, got, sent[r]
            }
        }' "$1" "$2" "$3" | sort >"$WORK/compared"
    while read -r verdict reason got sent; do
        [ "$verdict" = good ] && ok "$reason: $sent sent, $got counted"
        [ "$verdict" = bad ] && not_ok "$reason: $sent sent, $got counted"
    done <"$WORK/compared"
}

net_up
peer_start

# A connection that lives through it all.
mkfifo "$WORK/in"
nc -w 30 -N 10.0.1.5 7 <"$WORK/in" >"$WORK/live" 2>&1 &
live=$!
exec 7>"$WORK/in"
echo before >&7
wait_for 5 grep -q before "$WORK/live" || not_ok "the live connection is up"

check "the counters can be read" counters "$WORK/before"
for _ in $(seq $rounds); do
    build/release/tools/inject tun1 10.0.0.99 10.0.1.5
done >"$WORK/sent" 2>"$WORK/inject.err"
is "all of them could be sent" "$(cat "$WORK/inject.err")" ""
# The last reason in the list is counted when everything before it has been read.
caught_up()
{
    counters "$WORK/after" && grep -q "^drop.tcp.listen_other" "$WORK/after" &&
        [ "$(awk '$1 == "drop.tcp.listen_other" { print $2 }' "$WORK/after")" -ge $((2 * rounds)) ]
}
wait_for 10 caught_up
counters "$WORK/after"

compare "$WORK/before" "$WORK/after" "$WORK/sent"
check "there were reasons to count" test "$(wc -l <"$WORK/compared")" -ge 25

# connection FIELD [before]: of the live one, from what was read last, or before the strikes.
connection()
{
    tr '{}' '\n\n' <"$WORK/${2:-after}.json" | grep '"local_port":7,' | tr ',' '\n' | sed -n "s/^\"$1\"://p"
}

# Strike at the connection itself: right addresses and ports, and numbers learned from its packets.
check "the counters can be read again" counters "$WORK/before"
for n in $(seq $strikes); do
    build/release/tools/live tun1 10.0.1.1 10.0.1.5 7 >"$WORK/struck.$n" 2>"$WORK/live.err.$n" &
    striker=$!
    wait_for 5 grep -q listening "$WORK/live.err.$n"
    (echo "tick $n" >&7) # in a shell of its own, which a client that is gone may kill
    wait $striker || not_ok "strike $n" "$(cat "$WORK/live.err.$n")"
    wait_for 5 grep -q "tick $n" "$WORK/live" || not_ok "the connection echoes before strike $n"
done
cat "$WORK"/struck.* >"$WORK/sent"
caught_up()
{
    counters "$WORK/after" && [ "$(awk '$1 == "drop.icmp.sequence" { print $2 }' "$WORK/after")" -ge \
        "$(awk '$1 == "drop.icmp.sequence" { n += $2 } END { print n }' "$WORK/sent")" ]
}
wait_for 10 caught_up
counters "$WORK/after"
compare "$WORK/before" "$WORK/after" "$WORK/sent"
check "there were reasons to count" test "$(wc -l <"$WORK/compared")" -ge 11
is "the connection is as it was" "$(connection state)" '"ESTABLISHED"'
is "it took what its client sent, and nothing else" "$(connection bytes_received)" \
    "$(wc -c <"$WORK/live")"
is "and sent nothing twice" "$(connection retrans)" 0
is "its segments are as large as before" "$(connection mss)" "$(connection mss before)"
is "no ICMP error was believed" "$(tr ',{}' '\n\n\n' <"$WORK/after.json" | grep -cE '^"(icmp\.|end\.unreach)')" 0

(echo after >&7)
wait_for 5 grep -q after "$WORK/live"
exec 7>&-
wait $live
is "the connection that was open has lost nothing" "$(tr '\n' ' ' <"$WORK/live")" \
    "before tick 1 tick 2 tick 3 tick 4 tick 5 after "
check "a ping is still answered" ping -c 1 -W 2 10.0.1.5
is "a handshake still completes" "$(echo still | nc -w 5 -N 10.0.1.5 8000)" still

stop $peer
is "peer exits 0" $? 0
is "the sanitizers are silent" "$(grep -E 'Sanitizer|runtime error' "$WORK/peer.err")" ""
finish
