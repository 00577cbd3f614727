#!/usr/bin/env bash
#
# Readers that are slow, stopped or gone, at the end of what the programs write besides their data: a
# capture and the lines about packets. The node must not care.

. "$(dirname "$0")/lib.sh"
need ping nc
need_tun

net_up
mkfifo "$WORK/pipe"
head -c 16777216 /dev/urandom >"$WORK/file"

# stopped: a reader of $WORK/pipe that never reads; its pid is $reader.
stopped()
{
    sleep 1000 <"$WORK/pipe" &
    reader=$!
}

# lives WHAT: peer, in the background with a stopped reader, works as if nothing were wrong.
lives()
{
    wait_for 5 answers 10.0.1.5 || not_ok "$1: peer answers at first"
    # More than all buffers on the way hold.
    nc -w 10 -N 10.0.1.5 7 <"$WORK/file" >"$WORK/back"
    is "$1: 16 MiB there and back" "$(sum "$WORK/back")" "$(sum "$WORK/file")"
    check "$1: pings are answered at once" ping -c 3 -i 0.2 -W 1 10.0.1.5
    cpu=$(awk '{ print $14 + $15 }' /proc/$peer/stat)
    sleep 1
    cpu=$(($(awk '{ print $14 + $15 }' /proc/$peer/stat) - cpu))
    check "$1: it sleeps when there is nothing to do ($cpu % of a processor)" test $cpu -le 20
    kill -TERM $peer
    check "$1: one SIGTERM ends it" wait_for 5 gone $peer
    kill -KILL $peer 2>/dev/null
    wait $peer
    status=$?
}

stopped
"$BIN/peer" --pcap - tun1 10.0.1.1/24 10.0.0.7 </dev/null >"$WORK/pipe" 2>"$WORK/peer.err" &
peer=$!
lives "a capture whose reader has stopped"
is "a capture that is not whole makes the exit code 1" $status 1
check "it is said how much is missing" \
    grep -Eq 'capture - is not whole: its reader was too slow for [1-9][0-9]* packets' "$WORK/peer.err"
stop $reader KILL

stopped
"$BIN/peer" --offload off -v tun1 10.0.1.1/24 10.0.0.7 </dev/null 2>"$WORK/pipe" &
peer=$!
lives "packet lines whose reader has stopped"
is "and the exit code is 0" $status 0
stop $reader KILL

# A reader that goes on reading later: what was missed is said in the place where it is missing.
(sleep 6; exec cat) <"$WORK/pipe" >"$WORK/lines" &
reader=$!
"$BIN/peer" --offload off -v tun1 10.0.1.1/24 10.0.0.7 </dev/null 2>"$WORK/pipe" &
peer=$!
wait_for 5 answers 10.0.1.5
nc -w 10 -N 10.0.1.5 7 <"$WORK/file" >/dev/null
check "a reader that reads again gets a line about what it missed" \
    bash -c "for i in {1..50}; do ping -c 1 -W 1 10.0.1.5; sleep 0.2
        grep -Eq '^\([1-9][0-9]* packets not printed' $WORK/lines && exit; done; exit 1"
stop $peer
wait $reader
is "all its lines are whole" "$(grep -cvE '^([0-9:.]+ tun1 (In |Out) |\(|peer: )' "$WORK/lines")" 0

# A reader that is merely slow, as ordinary ones are, slows the node down and misses nothing.
peer_start
packets()
{
    awk -F'[:,]' '/"summary"/ { for (i = 1; i < NF; i++)
        if ($i ~ /"packets_(in|out)"/) n += $(i + 1) } END { print n }' "$1"
}
host --json --pcap - <"$WORK/file" 2>"$WORK/json" | (sleep 1; exec cat) >"$WORK/late.pcapng"
is "a capture whose reader begins late is whole: no complaint" "$(grep -c 'not whole' "$WORK/json")" 0
# one line for each frame: tshark may take random bytes for text, line feeds included
frames()
{
    tshark -r "$1" -T fields -e frame.number 2>/dev/null
}
if command -v tshark >/dev/null; then
    is "and has every packet" "$(frames "$WORK/late.pcapng" | wc -l)" \
        "$(packets "$WORK/json")"
    host --json --pcap - <"$WORK/file" 2>"$WORK/json" | frames - >"$WORK/live"
    is "--pcap - | tshark -r -, 16 MiB there and back: every packet" "$(wc -l <"$WORK/live")" \
        "$(packets "$WORK/json")"
else
    skip "--pcap - | tshark -r -" "tshark is not installed"
fi
host -v <"$WORK/file" 2>&1 >/dev/null | (sleep 1; exec cat) >"$WORK/lines"
in_out=$(sed -n 's/.*host: \([0-9]*\) packets in, \([0-9]*\) out.*/\1 + \2/p' "$WORK/lines")
is "packet lines whose reader begins late: every packet" \
    "$(grep -cE '^[0-9:.]+ tun0 (In |Out) ' "$WORK/lines")" "$((in_out))"

# A reader that goes away ends the capture, not the node.
"$BIN/host" --pcap - tun0 10.0.0.1/24 10.0.1.5 <"$WORK/file" 2>"$WORK/host.err" | head -c 1000 >/dev/null
check "a reader that goes away ends the capture, and that is said" \
    grep -q 'the capture - ended: Broken pipe; the node goes on' "$WORK/host.err"
check "the node goes on and closes in order" grep -q 'closed in order' "$WORK/host.err"
stop $peer
finish
