#!/usr/bin/env bash
#
# A bad network between a node and its TUN (--impair): each rule does what it says to packets that
# cross the kernel, is counted, and stands in the capture; and a run with a seed (--seed) is the
# same run twice, in the captures of both ends, but for time stamps.

. "$(dirname "$0")/lib.sh"
need ping sha256sum
need_tun
lines=build/release/tools/capture_lines
[ -x $lines ] || make --no-print-directory $lines >/dev/null 2>&1
if [ ! -x $lines ]; then
    echo "skip - $NAME # $lines is not built (make tests-build)"
    exit 77
fi

net_up
head -c 300000 /dev/urandom >"$WORK/in"
peer_start

# impaired WHAT RULES: a session there and back over such a path is whole; its capture is in
# $WORK/host.txt, what host said in $WORK/host.err.
impaired()
{
    timeout 60 "$BIN/host" --impair "$2" --seed 7 --step 0 --pcap "$WORK/host.pcapng" \
        tun0 10.0.0.1/24 10.0.1.5 <"$WORK/in" >"$WORK/out" 2>"$WORK/host.err"
    is "$1: host exits 0" $? 0
    is "$1: what came back is what was sent" "$(sum "$WORK/out")" "$(sum "$WORK/in")"
    $lines "$WORK/host.pcapng" >"$WORK/host.txt"
}

# says DIRECTION REASON: how many host counted in that direction, at its end.
says()
{
    sed -nE "s/^host: impaired, $1: (.*)/\1/p" "$WORK/host.err" | tr ',' '\n' |
        awk -v name="$2" '$2 == name { n = $1 } END { print n + 0 }'
}

# shown DIRECTION REASON: on how many packets of the capture it stands.
shown()
{
    grep "^$1 " "$WORK/host.txt" | grep -c -- "$2:"
}

# both WHAT DIRECTION REASON [N]: counted and shown alike; N times, or at least once.
both()
{
    local said

    said=$(says "$2" "$3")
    is "$1: $3, $2: as many in the capture as counted" "$(shown "$2" "$3")" "$said"
    if [ -n "${4-}" ]; then
        is "$1: $3, $2" "$said" "$4"
    else
        check "$1: $3, $2: $said" [ "$said" -gt 0 ]
    fi
}

impaired "exact losses" 'out: drop syn 1, drop data 5-7; in: drop syn-ack 1, drop fin 1'
both "exact losses" out impair.dropped 4
both "exact losses" in impair.dropped 2
is "exact losses: SYNs sent for the first time" "$(shown out send.syn)" 1
is "exact losses: SYNs sent again" "$(shown out send.syn.again)" 1

impaired "random losses" 'loss 3%'
both "random losses" out impair.lost
both "random losses" in impair.lost

impaired "bursts" 'out: burst 2% 50%'
both "bursts" out impair.burst

impaired "displaced, doubled, damaged" 'out: delay 2ms 1ms, reorder 10% 5ms, duplicate 5%; in: corrupt 3%'
for reason in reordered duplicated; do
    both "displaced, doubled, damaged" out impair.$reason
done
both "displaced, doubled, damaged" in impair.corrupted
check "displaced, doubled, damaged: said how late" grep -q 'impair.delayed: its path kept it back by [2-9]\.' \
    "$WORK/host.txt"

# 8 Mbit/s and 300,000 bytes, of which each has to pass the queue: 300 ms at least.
began=$(date +%s%3N)
impaired "a rate" 'out: rate 8mbit queue 5p'
took=$(($(date +%s%3N) - began))
both "a rate" out impair.queue
check "a rate: $took ms, 300 at least" [ $took -ge 300 ]

# A SYN that left twice does not ask for ECN any more (RFC 3168 section 6.1.1.1): then once more.
marking()
{
    impaired "$@"
    [ "$(shown out send.syn.again)" = 0 ] || impaired "$@"
}

marking "marks" 'out: ce-mark 10%'
both "marks" out impair.marked
marking "marks by the queue" 'out: rate 20mbit, ce-mark 5p'
both "marks by the queue" out impair.marked

impaired "a narrow path" 'out: mtu 1000'
both "a narrow path" out impair.too_large
check "a narrow path: ICMP says so, and it is believed" [ "$(shown out send.smaller)" -gt 0 ]

impaired "down for half a second" 'down 0s 500ms'
check "down for half a second: lost, out" [ "$(says out impair.down)" -gt 0 ]

# Packet lines; and the dice that were thrown are told when nobody has chosen them.
echo hello | "$BIN/host" -v --impair 'drop syn 1' tun0 10.0.0.1/24 10.0.1.5 >"$WORK/out" 2>"$WORK/host.err"
check "-v: behind the line of the packet" grep -q 'Flags \[S.*(send.syn)  (impair.dropped)$' "$WORK/host.err"
check "without --seed: which dice" grep -qE '^host: impaired: drop syn 1; the dice are those of --seed [0-9]+$' \
    "$WORK/host.err"
is "--impair help: a rule in each line but the help" "$("$BIN/host" --impair help | grep -cE '^  [a-z]')" 11
"$BIN/host" --json --impair 'drop syn 1' tun0 10.0.0.1/24 10.0.1.5 </dev/null 2>"$WORK/json" >/dev/null
check "--json: the same counters" grep -q \
    '"event":"impaired","program":"host","direction":"out","packets":[0-9]*,"counters":{"impair.dropped":1}}' \
    "$WORK/json"
stop $peer

# On peer; and both ends impaired.
peer_start --impair 'in: drop syn 1-2'
echo hello | timeout 30 "$BIN/host" --impair 'in: drop syn-ack 1' tun0 10.0.0.1/24 10.0.1.5 >"$WORK/out" \
    2>"$WORK/host.err"
is "peer impaired: host exits 0" $? 0
stop $peer
check "peer impaired: counted" grep -q '^peer: impaired, in: .* 2 impair.dropped' "$WORK/peer.err"

# ---- One seed, the same run ----

# play N RULES: one run, whose captures are $WORK/host.N and $WORK/peer.N without times.
play()
{
    peer_start --seed 7 --step "$step" --pcap "$WORK/peer.pcapng"
    timeout 60 "$BIN/host" --impair "$2" --seed 7 --step "$step" --pcap "$WORK/host.pcapng" \
        tun0 10.0.0.1/24 10.0.1.5 <"$WORK/in" >"$WORK/out" 2>"$WORK/host.err"
    status=$?
    stop $peer
    for node in host peer; do
        $lines --v4 "$WORK/$node.pcapng" >"$WORK/$node.$1"
    done
    [ $status -eq 0 ] && cmp -s "$WORK/out" "$WORK/in"
}

# again WHAT RULES: two runs are the same. The machine may be late by more than a step, for it is
# no real-time system and others work on it: so there are five attempts, said by their number.
again()
{
    local try

    for try in 1 2 3 4 5; do
        check "$1: whole" play 1 "$2"
        check "$1: whole, once more" play 2 "$2"
        cmp -s "$WORK/host.1" "$WORK/host.2" && cmp -s "$WORK/peer.1" "$WORK/peer.2" && break
        echo "    $1: attempt $try differs: $(cmp "$WORK/host.1" "$WORK/host.2" 2>&1)"
    done
    for node in host peer; do
        is "$1: $node's captures, $(wc -l <"$WORK/$node.1") packets, are the same twice" \
            "$(sum "$WORK/$node.1")" "$(sum "$WORK/$node.2")"
    done
}

step=20ms
again "one seed" 'delay 20ms 5ms, loss 1%, reorder 2%, rate 10mbit queue 50p, drop syn-ack 2'
check "one seed: there were losses" [ "$(grep -c 'impair.lost:' "$WORK/host.1")" -gt 0 ]
again "one seed, doubled and damaged" 'delay 30ms, duplicate 3%, corrupt 1%, burst 1% 30%'
again "one seed, nothing impaired" 'loss 0%'

# Both nodes in one process, with nothing but its clock between them: no attempts are needed.
for n in 1 2; do
    "$BIN/host" --in-memory --impair 'delay 20ms 5ms, loss 2%, reorder 2%' --seed 9 --pcap "$WORK/host.pcapng" \
        tun0 10.0.0.1/24 10.0.1.5 <"$WORK/in" >"$WORK/out" 2>"$WORK/host.err"
    check "one seed, one process, $n: whole" cmp "$WORK/out" "$WORK/in"
    $lines --v4 "$WORK/host.pcapng" >"$WORK/both.$n"
done
is "one seed, one process: the capture of both ends, $(wc -l <"$WORK/both.1") packets, is the same twice" \
    "$(sum "$WORK/both.1")" "$(sum "$WORK/both.2")"

# BBR waits by chance before it looks for more; that chance, too, comes back. The two begin
# at different times.
head -c 6000000 /dev/zero >"$WORK/zeros"
for n in 1 2; do
    timeout 60 "$BIN/host" --in-memory --impair 'out: rate 10mbit queue 34p; in: delay 40ms' --seed 1 --cc bbr --port 9 \
        --pcap "$WORK/bbr.$n.pcapng" tun0 10.0.0.1/24 10.0.1.5 <"$WORK/zeros" >/dev/null 2>"$WORK/bbr.$n.err" &
    eval "bbr$n=\$!"
    sleep 0.1
done
for n in 1 2; do
    eval "wait \$bbr$n"
    check "one seed, one process, bbr, $n" [ $? -eq 0 ]
    $lines --v4 "$WORK/bbr.$n.pcapng" >"$WORK/bbr.$n"
done
is "one seed, one process, bbr: $(wc -l <"$WORK/bbr.1") packets, the same twice" "$(sum "$WORK/bbr.1")" "$(sum "$WORK/bbr.2")"

# Another seed is another run.
cp "$WORK/host.1" "$WORK/host.seed7"
timeout 60 "$BIN/host" --impair 'loss 0%' --seed 8 --step $step --pcap "$WORK/host.pcapng" \
    --connect-timeout 1 tun0 10.0.0.1/24 10.0.1.5 </dev/null >/dev/null 2>&1
$lines --v4 "$WORK/host.pcapng" | head -1 >"$WORK/first"
check "another seed: another port and number" \
    [ "$(head -1 "$WORK/host.seed7" | cut -c 1-76)" != "$(cut -c 1-76 "$WORK/first")" ]
finish
