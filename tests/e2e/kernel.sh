#!/usr/bin/env bash
#
# The kernel's own programs against a node, over both versions of IP: the kernel's TCP, UDP and ICMP
# are the judge. What ping says of sizes is in fragments.sh, traceroute and tracepath in traceroute.sh.

. "$(dirname "$0")/lib.sh"
need ping nc curl
need_tun

grew()
{
    echo $(($(told "$WORK/after.json" "$1") - $(told "$WORK/before.json" "$1")))
}

services()
{
    local began page

    check "$ip: ping -c 3" ping -c 3 -i 0.2 -W 2 $peer_at
    is "$ip: nc to port 8000: the session echoes" "$(echo hello | nc -w 5 -N $peer_at 8000)" hello
    is "$ip: nc -u to port 6969: the payload comes back reversed" \
        "$(printf 'stressed' | nc -u -w 1 $peer_at 6969)" desserts
    is "$ip: TCP echo on port 7" "$(echo seven | nc -w 5 -N $peer_at 7)" seven
    is "$ip: UDP echo on port 7" "$(printf seven | nc -u -w 1 $peer_at 7)" seven
    check "$ip: peer tells what it knows" peer_tells "$WORK/before.json"
    is "$ip: discard on port 9 says nothing" \
        "$(head -c 100000 /dev/zero | nc -w 5 -N $peer_at 9; echo $?)" 0
    check "$ip: and tells again" peer_tells "$WORK/after.json"
    check "$ip: discard took all ($(grew bytes_in) bytes came in)" test "$(grew bytes_in)" -ge 100000
    check "$ip: and sent none of it back ($(grew bytes_out) bytes went out)" \
        test "$(grew bytes_out)" -le 20000
    is "$ip: chargen on port 19" "$(nc -w 5 $peer_at 19 </dev/null | head -c 74 | tr -d '\r\n')" \
        "$(printf ' !"#$%%&'\''()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg')"

    page=$(curl -sS -g -m 5 "$peer_url/" 2>&1)
    case $page in
    *"$client"*) ok "$ip: curl $peer_url/ shows the connections" ;;
    *) not_ok "$ip: curl $peer_url/ shows the connections" "$page" ;;
    esac
    is "$ip: an unknown page is 404" \
        "$(curl -sS -g -m 5 -o /dev/null -w '%{http_code}' "$peer_url/nothing")" 404
}

# Ports where nobody listens, of TCP and of UDP.
refusals()
{
    local began=$SECONDS

    check "$ip: peer tells what it knows" peer_tells "$WORK/before.json"
    is "$ip: a port where nobody listens refuses" \
        "$(nc -v -w 5 $peer_at 4444 </dev/null 2>&1 | grep -c '(tcp) failed: Connection refused$')" 1
    check "$ip: at once" test $((SECONDS - began)) -le 2
    # The second write to a connected socket is told what the first has met.
    case $(bash -c "exec 3<>/dev/udp/$peer_at/4444; echo one >&3; sleep 0.2; echo two >&3" 2>&1) in
    *"onnection refused"*) ok "$ip: so does one of UDP, and the kernel tells the program" ;;
    *) not_ok "$ip: so does one of UDP, and the kernel tells the program" ;;
    esac
    check "$ip: peer tells again" peer_tells "$WORK/after.json"
    is "$ip: peer counts a segment for nobody, and an error that it sent" \
        "$(grew drop.tcp.no_connection) $(grew send.icmp.unreachable)" "1 1"
}

# A large transfer from the kernel's TCP into ours and back; and a kernel's server, host its client.
transfers()
{
    local server got

    nc -w 10 -N $peer_at 7 <"$WORK/file" >"$WORK/back"
    is "$ip: 8 MiB to and from the kernel's TCP, both ways at once" "$(sum "$WORK/back")" \
        "$(sum "$WORK/file")"
    nc -l -N $host_side 8000 <"$WORK/answer" >"$WORK/got" 2>"$WORK/nc.err" &
    server=$!
    wait_for 5 sh -c "ss -ltn | grep -qF '$host_side' && ss -ltn | grep -q :8000"
    got=$(echo "the client's question" |
        timeout 20 "$BIN/host" tun0 $host_side/$prefix $host_side 2>"$WORK/host.err")
    is "$ip: host as a client of a kernel's server exits 0" $? 0
    is "$ip: host gets the server's answer" "$got" "the server's answer"
    wait $server
    is "$ip: the server gets host's question" "$(cat "$WORK/got")" "the client's question"
}

net_up
head -c 8388608 /dev/urandom >"$WORK/file"
echo "the server's answer" >"$WORK/answer"
for version in 4 6; do
    ip=IPv$version
    if ! can_speak $version; then
        skip "$ip" "this kernel has no $ip"
        continue
    fi
    speak $version
    client="$peer_side:"
    [ $version = 4 ] || client="[$peer_side]:"
    peer_start
    services
    refusals
    transfers
    stop $peer
    is "$ip: peer exits 0 when it is told to stop" $? 0
done
finish
