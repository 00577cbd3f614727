#!/usr/bin/env bash
#
# Signals: the first closes connections in order, the second stops at once, and resets them. And the
# device that goes away under a node.

. "$(dirname "$0")/lib.sh"
need ping
need_tun

net_up
peer_start -v

# connected: host in the background with an input that stays open, connected; its pid is $host.
connected()
{
    rm -f "$WORK/in" "$WORK/host.out" # what the last one said is not this one's
    mkfifo "$WORK/in"
    "$BIN/host" "$@" -v tun0 10.0.0.1/24 10.0.1.5 <"$WORK/in" >"$WORK/host.out" 2>"$WORK/host.err" &
    host=$!
    exec 7>"$WORK/in"
    echo "first line" >&7
    wait_for 5 grep -q "first line" "$WORK/host.out" && return
    not_ok "host is connected" "$(cat "$WORK/host.err")"
}

connected
kill -INT $host
wait_for 5 gone $host
wait $host
is "host, one SIGINT: closed in order, exit 0" $? 0
check "host, one SIGINT: our FIN" grep -q 'Out .*\[[.FP]*F[.FP]*\]' "$WORK/host.err"
is "host, one SIGINT: no reset" "$(grep -c 'Flags \[R' "$WORK/host.err")" 0
exec 7>&-

# A remote end that never closes: the first signal waits a while for it, the second does not.
nc -l -p 9000 >/dev/null 2>&1 &
server=$!
wait_for 5 sh -c "ss -ltn | grep -q :9000"
rm -f "$WORK/in"
mkfifo "$WORK/in"
"$BIN/host" -v --port 9000 tun0 10.0.0.1/24 10.0.0.1 <"$WORK/in" >"$WORK/host.out" \
    2>"$WORK/host.err" &
host=$!
exec 7>"$WORK/in"
wait_for 5 grep -q connected "$WORK/host.err"
kill -STOP $server
kill -TERM $host
check "host, one SIGTERM: its FIN" wait_for 5 grep -q 'Out .*Flags \[F' "$WORK/host.err"
check "host, one SIGTERM: it waits for the other side" kill -0 $host
kill -TERM $host
check "host, two SIGTERM: it is gone at once" wait_for 2 gone $host
wait $host
is "host, two SIGTERM: exit 1" $? 1
check "host, two SIGTERM: a reset" grep -q 'Out .*Flags \[R' "$WORK/host.err"
exec 7>&-
stop $server KILL

connected
kill -TERM $peer
wait_for 5 grep -q 'Out .*Flags \[F' "$WORK/peer.err"
is "peer, one SIGTERM: its FIN" $? 0
check "peer says for whom it waits" grep -qE \
    '^peer: closing in order; waiting for 1 connection to close its side \(10\.0\.0\.7:[0-9]+\); once' \
    "$WORK/peer.err"
check "host says that nothing more will come" wait_for 5 grep -qF \
    'host: 10.0.1.5:8000 has closed its side: nothing more will come; the end of our input closes' \
    "$WORK/host.err"
exec 7>&-
wait_for 5 gone $host
wait $host
is "host sees an orderly close" $? 0
wait $peer
is "peer exits 0 when all were closed in order" $? 0
is "its last word but for the totals" "$(grep -vE ' IP |packets in|: drop\.' "$WORK/peer.err" | tail -1)" \
    "peer: stopped"

# Nobody is there: there is nothing to close, and nobody to wait for.
"$BIN/host" tun0 10.0.0.1/24 10.0.1.5 </dev/null 2>"$WORK/host.err" &
host=$!
wait_for 5 sh -c "'$BIN/host' --status | grep -q SYN-SENT"
kill -INT $host
wait $host
is "host, SIGINT before anybody answered: exit 1" $? 1
is "and one line" "$(cat "$WORK/host.err")" "host: stopped before 10.0.1.5:8000 had answered"
peer_start
stop $peer
is "peer without connections: exit 0" $? 0
is "and one word" "$(tail -1 "$WORK/peer.err")" "peer: stopped"

peer_start
connected
ip link del tun1
check "a node whose TUN is deleted ends" wait_for 5 gone $peer
wait $peer
is "and exits 1" $? 1
check "with a line that names it" grep -q 'tun1' "$WORK/peer.err"
exec 7>&-
stop $host KILL
finish
