#!/usr/bin/env bash
#
# MUST-51, MUST-53: a source route through the real kernel: host sends by way of the kernel's
# address, peer refuses that until it is told to take it, and then answers by the same way back.

. "$(dirname "$0")/lib.sh"
need_tcpdump
need curl
need_tun

net_up
for i in all tun0 tun1; do
    sysctl -qw "net.ipv4.conf.$i.accept_source_route=1" 2>/dev/null && continue
    echo "skip - $NAME # the kernel here cannot be told to take source routes"
    exit 77
done

peer_start
echo refused | host --via 10.0.0.1 --connect-timeout 2 >"$WORK/out" 2>"$WORK/host.err"
is "peer does not take a source route unless told to" $? 1
peer_tells "$WORK/refused.json"
check "and says why" test "$(told "$WORK/refused.json" drop.ip.source_route)" -gt 0
stop "$peer"

peer_start --accept-source-routes
capture tun1 "$WORK/tun1.pcap"
head -c 200000 /dev/urandom >"$WORK/file"
host --via 10.0.0.1 <"$WORK/file" >"$WORK/back" 2>>"$WORK/host.err"
is "a file there and back by a source route" "$(sum "$WORK/back")" "$(sum "$WORK/file")"
capture_end "$captured"
tcpdump -nnv -r "$WORK/tun1.pcap" tcp 2>/dev/null | awk '
    /^[0-9]/ { route = /LSRR/; next }
    /Flags/ { n[route " " ($1 ~ /^10\.0\.1\.5\./ ? "back" : "there")]++ }
    END { for (i in n) print i }' | sort >"$WORK/ways"
is "every segment goes by the route, both ways" "$(cat "$WORK/ways")" "$(printf '1 back\n1 there')"
echo plain | host >"$WORK/plain" 2>>"$WORK/host.err"
is "who comes without one is answered without one" "$(cat "$WORK/plain")" plain
finish
