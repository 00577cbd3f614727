#!/usr/bin/env bash
#
# 1,000 connections at once between a node on tun0 and peer: each echoes, none is closed before all
# of them are up, then all are closed in order.

. "$(dirname "$0")/lib.sh"
need curl
need_tun

net_up
peer_start
host --port 7 --connections 1000 --bytes 5000 >"$WORK/host.out" 2>"$WORK/host.err"
is "host exits 0" $? 0
sed 's/^/    /' "$WORK/host.err"
check "1,000 connections were open at once" grep -q "1000 connections open at once" "$WORK/host.err"
check "each echoed 5,000 bytes, and all were closed in order" \
    grep -q "1000 connections, 5000000 bytes sent and 5000000 received, all right and all closed" \
    "$WORK/host.err"

# Peer agrees, and has none of them left.
curl -sS -m 5 http://10.0.1.5/status.json >"$WORK/status.json"
is "no packet was refused by peer's table or buffers" \
    "$(tr ',{}' '\n\n\n' <"$WORK/status.json" |
        grep -E '"drop.(buffer|tcp.table_full|tcp.reassembly)":[1-9]')" ""
is "peer has no connection with them left" "$(tr '{}' '\n\n' <"$WORK/status.json" |
    grep '"remote":"10.0.0.7' | grep -cv TIME-WAIT)" 0

stop $peer
is "peer exits 0" $? 0
finish
