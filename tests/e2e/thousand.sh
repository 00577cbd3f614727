#!/usr/bin/env bash
#
# 1,000 connections at once between a node on tun0 and peer: each echoes, none is closed before all
# of them are up, then all are closed in order.

. "$(dirname "$0")/lib.sh"
need curl
need_tun

net_up
peer_start
said=$(timeout 100 build/release/tools/many tun0 10.0.0.7 10.0.1.5 7 1000 5000 2>&1)
is "1,000 connections at once, each echoes 5,000 bytes, all closed in order" $? 0
echo "    $said"
check "all were open at one time" grep -q "1000 at once, 1000 ended, 0 not in order" <<<"$said"

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
