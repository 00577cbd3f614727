#!/usr/bin/env bash
#
# The kernel's own programs against a node: its TCP, UDP and ICMP are the judge.

. "$(dirname "$0")/lib.sh"
need ping nc curl
need_tun

net_up
peer_start

check "ping -c 3 10.0.1.5" ping -c 3 -i 0.2 -W 2 10.0.1.5
check "ping with 1,400 bytes" ping -c 1 -W 2 -s 1400 10.0.1.5
check "ping with 1 byte" ping -c 1 -W 2 -s 1 10.0.1.5

is "nc 10.0.1.5 8000: the session echoes" "$(echo hello | nc -w 5 -N 10.0.1.5 8000)" hello
is "nc -u 10.0.1.5 6969: the payload comes back reversed" \
    "$(printf 'stressed' | nc -u -w 1 10.0.1.5 6969)" desserts
is "TCP echo on port 7" "$(echo seven | nc -w 5 -N 10.0.1.5 7)" seven
is "UDP echo on port 7" "$(printf seven | nc -u -w 1 10.0.1.5 7)" seven
check "peer tells what it knows" peer_tells "$WORK/before.json"
is "discard on port 9 says nothing" "$(head -c 100000 /dev/zero | nc -w 5 -N 10.0.1.5 9; echo $?)" 0
check "and tells again" peer_tells "$WORK/after.json"
grew()
{
    echo $(($(told "$WORK/after.json" "$1") - $(told "$WORK/before.json" "$1")))
}
check "discard took all ($(grew bytes_in) bytes came in)" test "$(grew bytes_in)" -ge 100000
check "and sent none of it back ($(grew bytes_out) bytes went out)" test "$(grew bytes_out)" -le 20000
is "chargen on port 19" "$(nc -w 5 10.0.1.5 19 </dev/null | head -c 74 | tr -d '\r\n')" \
    "$(printf ' !"#$%%&'\''()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg')"

page=$(curl -sS -m 5 http://10.0.1.5/ 2>&1)
case $page in
*"10.0.1.1"*) ok "curl http://10.0.1.5/ shows the connections" ;;
*) not_ok "curl http://10.0.1.5/ shows the connections" "$page" ;;
esac
is "an unknown page is 404" \
    "$(curl -sS -m 5 -o /dev/null -w '%{http_code}' http://10.0.1.5/nothing)" 404

began=$SECONDS
is "a port where nobody listens refuses" \
    "$(nc -v -w 5 10.0.1.5 4444 </dev/null 2>&1 | grep -c '(tcp) failed: Connection refused$')" 1
check "at once" test $((SECONDS - began)) -le 2
check "by a reset: peer counts a segment for nobody" bash -c "curl -s http://10.0.1.5/status.json |
    grep -q '\"drop.tcp.no_connection\":1[,}]'"

# A large transfer from the kernel's TCP into ours and back.
head -c 8388608 /dev/urandom >"$WORK/file"
nc -w 10 -N 10.0.1.5 7 <"$WORK/file" >"$WORK/back"
is "8 MiB to and from the kernel's TCP, both ways at once" "$(sum "$WORK/back")" \
    "$(sum "$WORK/file")"

# A kernel server, and host as its client.
echo "the server's answer" >"$WORK/answer"
nc -l -N 10.0.0.1 8000 <"$WORK/answer" >"$WORK/got" 2>"$WORK/nc.err" &
server=$!
wait_for 5 sh -c "ss -ltn | grep -q 10.0.0.1:8000"
got=$(echo "the client's question" |
    timeout 20 "$BIN/host" tun0 10.0.0.1/24 10.0.0.1 2>"$WORK/host.err")
is "host as a client of a kernel server exits 0" $? 0
is "host gets the server's answer" "$got" "the server's answer"
wait $server
is "the server gets host's question" "$(cat "$WORK/got")" "the client's question"

stop $peer
finish
