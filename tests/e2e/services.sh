#!/usr/bin/env bash
#
# What peer serves, from outside: the small services over TCP and UDP, the chat, the status page; and
# what both programs say: packet lines, bytes, JSON, a capture on a live pipe.

. "$(dirname "$0")/lib.sh"
need nc curl ping
need_tun

net_up
peer_start

udp()
{
    printf '%s' "$2" | timeout 5 nc -u -w 1 10.0.1.5 "$1"
}
is "tcp echo" "$(echo over and out | nc -N -w 5 10.0.1.5 7)" "over and out"
is "tcp discard" "$(echo gone | nc -N -w 5 10.0.1.5 9)" ""
is "tcp chargen: RFC 864's lines of 72" \
    "$(timeout 20 nc -d 10.0.1.5 19 2>/dev/null | head -c 7400 | awk 'length($0) != 73 { bad = 1 }
        NR == 2 { first = substr($0, 1, 3) } END { print bad + 0, NR, first }')" '0 100 !"#'
is "udp echo" "$(udp 7 'a datagram')" "a datagram"
is "udp discard" "$(udp 9 'a datagram')" ""
is "udp chargen answers" "$([ "$(udp 19 x | wc -c)" -gt 0 ] && echo some)" some
is "udp reverse" "$(udp 6969 drawer)" reward
is "a large datagram there and back" \
    "$(head -c 1472 /dev/zero | tr '\0' x | timeout 5 nc -u -w 1 10.0.1.5 7 | wc -c)" 1472
check "the page is HTML" grep -q '<html' <(curl -s http://10.0.1.5/)
is "what is not there is 404" "$(curl -s -o /dev/null -w '%{http_code}' http://10.0.1.5/nothing)" 404
is "what is not asked for rightly is 405" \
    "$(curl -s -o /dev/null -w '%{http_code}' -X PUT http://10.0.1.5/)" 405
check "a port that nobody serves refuses" \
    bash -c '! nc -w 2 10.0.1.5 4444 </dev/null'
check "no udp port: the kernel hears of it" \
    grep -q refused <(nc -u -v -w 2 10.0.1.5 4444 <<<x 2>&1; echo x | nc -u -v -w 2 10.0.1.5 4444 2>&1;
        curl -s http://10.0.1.5/status.json | grep -o send.icmp.unreachable | sed 's/.*/refused/')
check "of a client on a small port peer says nothing" \
    bash -c '! grep "port 7$" "$1"' sh "$WORK/peer.err"
echo hello | host >/dev/null 2>"$WORK/host.err"
check "peer says who connects to the session" \
    grep -qE '^peer: 10\.0\.0\.7:[0-9]+ connected to port 8000$' "$WORK/peer.err"
echo -n x | host >/dev/null 2>"$WORK/host.err"
check "one byte is one byte" grep -q 'sent 1 byte, received 1 byte in .* 0 retransmits' "$WORK/host.err"
stop $peer
is "peer exits 0" $? 0

# The chat: two clients, and an operator.
mkfifo "$WORK/operator"
"$BIN/peer" --session chat tun1 10.0.1.1/24 10.0.0.7 <"$WORK/operator" >"$WORK/chat.out" \
    2>"$WORK/chat.err" &
peer=$!
exec 7>"$WORK/operator"
wait_for 5 answers 10.0.1.5
echo "is anybody there?" >&7
check "an operator whom nobody hears is told so" \
    wait_for 5 grep -qx "peer: nobody is in the chat: what you typed went to no one" "$WORK/chat.err"
mkfifo "$WORK/one.in" "$WORK/two.in"
nc -N -w 30 10.0.1.5 8000 <"$WORK/one.in" >"$WORK/one" &
one=$!
exec 8>"$WORK/one.in"
host <"$WORK/two.in" >"$WORK/two" 2>"$WORK/host.err" &
two=$!
exec 9>"$WORK/two.in"
echo "hello from one" >&8
echo "hello from two" >&9
check "the operator sees what the kernel's client says, and whose it is" \
    wait_for 5 grep -q '10.0.1.1:[0-9]*.*hello from one' "$WORK/chat.out"
check "the operator sees what host says" \
    wait_for 5 grep -q '10.0.0.7:[0-9]*.*hello from two' "$WORK/chat.out"
echo "welcome, all" >&7
check "one client gets what the operator types" wait_for 5 grep -qx "welcome, all" "$WORK/one"
check "and the other, too" wait_for 5 grep -qx "welcome, all" "$WORK/two"
check "the operator is told who is there" \
    wait_for 5 grep -q '^peer: 10.0.0.7:[0-9]* joined the chat; [12] clients\? now$' "$WORK/chat.err"
exec 7>&- 8>&- 9>&-
wait $one $two
check "and that the input has ended" \
    wait_for 5 grep -qx "peer: end of input; you can still read" "$WORK/chat.err"
check "and who has left" \
    wait_for 5 grep -q '^peer: 10.0.0.7:[0-9]* left the chat; [01] clients\? now$' "$WORK/chat.err"
is "and each of them once" "$(grep -c 'joined\|left\|connected to' "$WORK/chat.err")" 4
stop $peer
is "peer exits 0 after the chat" $? 0

# What the programs say.
peer_start
echo hello | host -v >/dev/null 2>"$WORK/lines"
check "-v: a line in tcpdump's format, with the reason" grep -Eq \
    '^[0-9:.]+ tun0 Out IP 10\.0\.0\.7\.[0-9]+ > 10\.0\.1\.5\.8000: Flags \[SEW\], seq .*\(send\.syn\)$' \
    "$WORK/lines"
is "-v: the closing line stands behind the last segment" \
    "$(grep -E ' IP |in order' "$WORK/lines" | tail -1 | grep -o 'both sides closed in order')" \
    "both sides closed in order"
echo hello | host -vv >/dev/null 2>"$WORK/lines"
check "-vv: the bytes beneath" grep -Eq '^[[:space:]]0x0000:  4500 ' "$WORK/lines"
before=$(date +%s%3N)
echo hello | host --json >/dev/null 2>"$WORK/json"
within=$(($(date +%s%3N) - before + 1))
# events FILE: the names of its events in their order, and a line that is no event as it is.
events()
{
    sed -E 's/^\{"event":"([a-z]*)",.*\}$/\1/' "$1" | xargs
}
is "--json: an object on each line" "$(events "$WORK/json")" "ready connected closed summary"
is "--json: the last acknowledgment is among the connection's segments" \
    "$(sed -n 's/.*"segments_out":\([0-9]*\).*/\1/p' "$WORK/json")" \
    "$(sed -n 's/.*"packets_out":\([0-9]*\).*/\1/p' "$WORK/json")"
check "--json: a session takes longer than a round trip, and less than host, in ms" \
    awk -v ms="$(told "$WORK/json" duration_ms)" -v srtt="$(told "$WORK/json" srtt_ms)" -v within=$within \
    'BEGIN { exit !(srtt > 0 && srtt < ms && ms < within) }'
# A peer in this process has the small services on their own ports, too.
for port in 9 7 8000 8001; do
    [ $port = 9 ] && want= || want=hello
    is "--in-memory --port $port" "$(echo hello | host --in-memory --port $port 2>/dev/null)" "$want"
done
host --json --connections 2 >/dev/null 2>"$WORK/json"
is "--json --connections: the same for each of them" "$(events "$WORK/json")" \
    "ready connected connected closed closed summary"
echo hello | host --quiet --pcap - 2>/dev/null >"$WORK/live.pcapng"
is "--pcap -: a capture on standard output" "$(od -An -tx1 -N4 "$WORK/live.pcapng" | tr -d ' ')" \
    0a0d0d0a
stop $peer
"$BIN/peer" --json tun1 10.0.1.1/24 10.0.0.7 </dev/null 2>"$WORK/peer.json" &
peer=$!
wait_for 5 grep -q ready "$WORK/peer.json"
echo hello | host --port 7 >/dev/null 2>&1
stop $peer
is "peer --json: an object on each line, for every port" "$(events "$WORK/peer.json")" \
    "ready connected closed summary"
"$BIN/peer" --quiet tun1 10.0.1.1/24 10.0.0.7 </dev/null 2>"$WORK/peer.err" &
peer=$!
wait_for 5 answers 10.0.1.5
is "host --quiet: nothing but what comes back" "$(echo hello | host --quiet 2>&1)" hello
stop $peer
is "peer --quiet: nothing" "$? $(cat "$WORK/peer.err")" "0 "
finish
