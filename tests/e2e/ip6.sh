#!/usr/bin/env bash
#
# IPv6: the handshake as seen by others, and the kernel's own programs against a node that has
# addresses of both versions.
#
#   host fd00::7 == tun0 == kernel (NOTRACK, forwarding) == tun1 == peer fd00:1::5, 10.0.1.5

. "$(dirname "$0")/lib.sh"
need_tcpdump
need ping nc curl
need_tun
if [ ! -e /proc/sys/net/ipv6/conf/all/forwarding ]; then
    echo "skip - $NAME # this kernel has no IPv6"
    exit 77
fi

host6()
{
    timeout 60 "$BIN/host" "$@" tun0 fd00::1/64 fd00:1::5
}

# segments6 FILE: each TCP segment as "HOPS LABEL SRC DST FLAGS"
segments6()
{
    tcpdump -nn -S -v -r "$1" 'ip6 proto 6' 2>/dev/null | awk '/Flags/ {
        hops = $0; sub(/.*hlim /, "", hops); sub(/,.*/, "", hops)
        label = "none"
        if (match($0, /flowlabel 0x[0-9a-f]+/)) label = substr($0, RSTART + 10, RLENGTH - 10)
        ends = $0; sub(/.*payload length: [0-9]+\) /, "", ends); split(ends, e, " ")
        flags = $0; sub(/.*Flags \[/, "", flags); sub(/\].*/, "", flags)
        sub(/:$/, "", e[3])
        print hops, label, e[1], e[3], flags
    }'
}

net_up
capture tun0 "$WORK/tun0.pcap"
dump0=$captured
capture tun1 "$WORK/tun1.pcap"
dump1=$captured
peer_start --local fd00:1::5/64 --pcap "$WORK/peer.pcapng"

# ---- host and peer ----

printf 'hello, peer\n' | host6 --pcap "$WORK/host.pcapng" >"$WORK/host.out" 2>"$WORK/host.err"
is "host exits 0 after an orderly close" $? 0
is "the bytes come back" "$(cat "$WORK/host.out")" "hello, peer"
check "host says with whom it spoke" grep -qF "connected to [fd00:1::5]:8000 from [fd00::7]:" \
    "$WORK/host.err"
sleep 0.2
for i in 0 1; do
    segments6 "$WORK/tun$i.pcap" >"$WORK/tun$i.txt"
    is "tun$i: SYN, SYN-ACK, ACK, and ECN is agreed on" \
        "$(awk 'NR <= 3 { print ($3 ~ /^fd00::7\./ ? "host" : "peer") ":" $5 }' "$WORK/tun$i.txt" |
            tr '\n' ' ')" "host:SEW peer:S.E host:. "
    is "tun$i: a FIN each way, and no RST" \
        "$(awk '$5 ~ /[FR]/ { print ($3 ~ /^fd00::7\./ ? "host" : "peer") ":" $5 }' \
            "$WORK/tun$i.txt" | tr -d P | sort | tr "\n" " ")" "host:F. peer:F. "
done
hops()
{
    awk '{ print ($3 ~ /^fd00::7\./ ? "host" : "peer") ":" $1 }' "$1" | sort -u | tr '\n' ' '
}
is "tun0: host sends with 64 hops, peer's arrive with 63" "$(hops "$WORK/tun0.txt")" \
    "host:64 peer:63 "
is "tun1: peer sends with 64 hops, host's arrive with 63" "$(hops "$WORK/tun1.txt")" \
    "host:63 peer:64 "
is "each segment crosses, none is changed" "$(cut -d' ' -f2- "$WORK/tun0.txt" | sort)" \
    "$(cut -d' ' -f2- "$WORK/tun1.txt" | sort)"
is "each side has one flow label, and none is 0" \
    "$(awk '{ print $2, $3 }' "$WORK/tun0.txt" | sort -u | awk '$1 != "none"' | wc -l)" 2
segments6 "$WORK/host.pcapng" | sort >"$WORK/host.txt"
is "--pcap of host holds what tcpdump saw on tun0" "$(cat "$WORK/host.txt")" \
    "$(sort "$WORK/tun0.txt")"

head -c 8388608 /dev/urandom >"$WORK/file"
host6 --port 7 <"$WORK/file" >"$WORK/back" 2>"$WORK/host.err"
is "8 MiB there and back" "$(sum "$WORK/back")" "$(sum "$WORK/file")"
host6 --impair 'delay 5ms 1ms, loss 1%, reorder 1%' <"$WORK/host.pcapng" >"$WORK/back" 2>"$WORK/host.err"
is "a file there and back where packets are lost" "$(sum "$WORK/back")" "$(sum "$WORK/host.pcapng")"
host6 --impair 'out: mtu 1300' --port 7 <"$WORK/host.pcapng" >"$WORK/back" 2>"$WORK/host.err"
is "and where packets of 1,300 bytes are the largest" "$(sum "$WORK/back")" "$(sum "$WORK/host.pcapng")"
check "... as \"packet too big\" says" grep -q '[1-9][0-9]* impair.too_large' "$WORK/host.err"
check "a hundred connections at once" host6 --connections 100
host6 --port 4444 </dev/null >/dev/null 2>"$WORK/host.err"
is "a port where nobody listens refuses" $? 1
check "and host says so" grep -q "fd00:1::5 refused" "$WORK/host.err"

# ---- the kernel's programs ----

for size in 0 1 1400 1452; do
    check "ping with $size bytes" ping -6 -c 1 -W 2 -s $size fd00:1::5
done
check "and of the other version" ping -c 1 -W 2 10.0.1.5
is "nc: the session echoes" "$(echo hello | nc -6 -w 5 -N fd00:1::5 8000)" hello
is "... and over IPv4" "$(echo hello | nc -4 -w 5 -N 10.0.1.5 8000)" hello
is "nc -u: the payload comes back reversed" \
    "$(printf 'stressed' | nc -6 -u -w 1 fd00:1::5 6969)" desserts
is "UDP echo on port 7" "$(printf seven | nc -6 -u -w 1 fd00:1::5 7)" seven
is "discard on port 9 says nothing" \
    "$(head -c 100000 /dev/zero | nc -6 -w 5 -N fd00:1::5 9; echo $?)" 0
nc -6 -w 10 -N fd00:1::5 7 <"$WORK/file" >"$WORK/back"
is "8 MiB to and from the kernel's TCP, both ways at once" "$(sum "$WORK/back")" \
    "$(sum "$WORK/file")"
is "the kernel is refused where nobody listens" \
    "$(nc -6 -v -w 5 fd00:1::5 4444 </dev/null 2>&1 | grep -c 'refused')" 1
printf one | nc -6 -u -w 1 fd00:1::5 4444 >/dev/null 2>&1
check "... and told that nobody has a UDP port" sh -c "tcpdump -nn -r '$WORK/tun1.pcap' 2>/dev/null |
    grep -q 'fd00:1::5 > fd00:1::1: ICMP6, destination unreachable, unreachable port, fd00:1::5 udp port 4444'"
case $(curl -sS -g -m 5 'http://[fd00:1::5]/' 2>&1) in
*"[fd00:1::1]:"*) ok "curl shows the connections" ;;
*) not_ok "curl shows the connections" ;;
esac

echo "the server's answer" >"$WORK/answer"
nc -6 -l -N fd00::1 8000 <"$WORK/answer" >"$WORK/got" 2>"$WORK/nc.err" &
server=$!
wait_for 5 sh -c "ss -ltn | grep -qF '[fd00::1]:8000'"
is "a kernel's server answers host" "$(echo "the client's question" |
    timeout 20 "$BIN/host" tun0 fd00::1/64 fd00::1 2>"$WORK/host.err")" "the server's answer"
wait $server
is "and gets its question" "$(cat "$WORK/got")" "the client's question"

# ---- what the kernel says by itself ----

curl -sS -m 5 http://10.0.1.5/status.json >"$WORK/told.json"
said=$(($(told "$WORK/told.json" drop.icmp6.router) + $(told "$WORK/told.json" drop.icmp6.mld)))
check "what the kernel says by itself is counted ($said)" test $said -gt 0
check "--status shows a node of both versions" "$BIN/peer" --status

stop $peer
is "peer exits 0 when it is told to stop" $? 0
stop $dump0 INT
stop $dump1 INT

# A peer that speaks nothing else, which is called as its IPv4 sister is.
"$BIN/peer" -v --once tun1 fd00:1::1/64 fd00::7 </dev/null >"$WORK/peer.out" 2>"$WORK/peer.err" &
peer=$!
wait_for 5 grep -q "fd00:1::5 ready on tun1" "$WORK/peer.err" ||
    not_ok "a peer of IPv6 alone" "$(cat "$WORK/peer.err")"
is "a peer of IPv6 alone" "$(echo again | host6 2>"$WORK/host.err")" again
wait $peer
is "... serves once and exits 0" $? 0
check "a line for each packet" grep -q 'IP6 fd00::7\.[0-9]* > fd00:1::5\.8000: Flags \[SEW\]' \
    "$WORK/peer.err"

finish
