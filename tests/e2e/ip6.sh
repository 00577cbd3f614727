#!/usr/bin/env bash
#
# IPv6 beside IPv4 in one node, and what only IPv6 has: a kernel that speaks by itself. The handshake
# over IPv6 is in handshake.sh, the kernel's programs against a node in kernel.sh.
#
#   host fd00::7 == tun0 == kernel (NOTRACK, forwarding) == tun1 == peer fd00:1::5, 10.0.1.5

. "$(dirname "$0")/lib.sh"
need ping nc curl
need_tun
if ! can_speak 6; then
    echo "skip - $NAME # this kernel has no IPv6"
    exit 77
fi

net_up
peer_start --local fd00:1::5/64
check "a peer of both versions says where it is" grep -q "^peer: 10.0.1.5, fd00:1::5 ready on tun1: 7 echo," "$WORK/peer.err"

# ---- host and peer ----

speak 6
head -c 8388608 /dev/urandom >"$WORK/file"
head -c 100000 /dev/urandom >"$WORK/small"
host --port 7 <"$WORK/file" >"$WORK/back" 2>"$WORK/host.err"
is "8 MiB there and back" "$(sum "$WORK/back")" "$(sum "$WORK/file")"
check "host says with whom it speaks" grep -qF "connected to [fd00:1::5]:7 from [fd00::7]:" \
    "$WORK/host.err"
host --impair 'delay 5ms 1ms, loss 1%, reorder 1%' <"$WORK/small" >"$WORK/back" 2>"$WORK/host.err"
is "a file there and back where packets are lost" "$(sum "$WORK/back")" "$(sum "$WORK/small")"
host --impair 'out: mtu 1300' --port 7 <"$WORK/small" >"$WORK/back" 2>"$WORK/host.err"
is "and where packets of 1,300 bytes are the largest" "$(sum "$WORK/back")" "$(sum "$WORK/small")"
check "... as \"packet too big\" says" grep -q '[1-9][0-9]* impair.too_large' "$WORK/host.err"
check "a hundred connections at once" host --connections 100
host --port 4444 </dev/null >/dev/null 2>"$WORK/host.err"
is "a port where nobody listens refuses" $? 1
check "and host says so" grep -q "fd00:1::5 refused" "$WORK/host.err"

# ---- both versions at one node ----

for address in fd00:1::5 10.0.1.5; do
    check "ping $address" ping -c 1 -W 2 $address
    is "nc $address: the session echoes" "$(echo hello | nc -w 5 -N $address 8000)" hello
    is "nc -u $address: the payload comes back reversed" \
        "$(printf 'stressed' | nc -u -w 1 $address 6969)" desserts
done

# ---- what the kernel says by itself ----

speak 4
peer_tells "$WORK/told.json"
said=$(($(told "$WORK/told.json" drop.icmp6.router) + $(told "$WORK/told.json" drop.icmp6.mld)))
check "what the kernel says by itself is counted ($said)" test $said -gt 0
check "--status shows a node of both versions" "$BIN/peer" --status

stop $peer
is "peer exits 0 when it is told to stop" $? 0

peer_start --local fd00:1::5 --local 10.0.1.6 --local fd00:1::6 --local 10.0.1.5 --local 10.0.1.7
check "a peer of many addresses names four" \
    grep -qE "^peer: ([0-9a-f.:]+, ){3}[0-9a-f.:]+ and 1 more ready on tun1: 7 echo," "$WORK/peer.err"
stop $peer
"$BIN/peer" --json --local fd00:1::5 tun1 10.0.1.1/24 10.0.0.7 </dev/null 2>"$WORK/peer.json" &
peer=$!
check "--json has all" wait_for 5 \
    grep -qF '"node":"10.0.1.5","addresses":["10.0.1.5","fd00:1::5"],' "$WORK/peer.json"
stop $peer

# A peer that speaks nothing else, which is called as its IPv4 sister is.
speak 6
peer_start -v --once
check "a peer of IPv6 alone says where it is" grep -q "fd00:1::5 ready on tun1" "$WORK/peer.err"
is "and serves" "$(echo again | host 2>"$WORK/host.err")" again
wait $peer
is "... once, and exits 0" $? 0
check "a line for each packet" grep -q 'IP6 fd00::7\.[0-9]* > fd00:1::5\.8000: Flags \[SEW\]' \
    "$WORK/peer.err"

finish
