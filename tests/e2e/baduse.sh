#!/usr/bin/env bash
#
# Used wrongly, or on a machine that refuses: one clear line and the documented exit code.

. "$(dirname "$0")/lib.sh"
need_tun

# wrong WHAT CODE PATTERN COMMAND...: the exit code, and one line on standard error that matches.
wrong()
{
    local what=$1 code=$2 pattern=$3 got lines
    shift 3

    timeout 30 "$@" </dev/null >"$WORK/out" 2>"$WORK/err"
    got=$?
    lines=$(wc -l <"$WORK/err")
    if [ $got -eq "$code" ] && [ "$lines" -eq 1 ] && grep -qiE -- "$pattern" "$WORK/err"; then
        ok "$what: exit $code, \"$(cat "$WORK/err")\""
    else
        not_ok "$what" "exit $got, wanted $code; $lines lines, wanted one like /$pattern/" \
            "$(cat "$WORK/err")"
    fi
}

for node in host peer; do
    wrong "$node: no operands" 2 "$node:.*--help" $BIN/$node
    wrong "$node: an unknown option" 2 "--frobnicate" $BIN/$node --frobnicate tun0 10.0.0.1/24 10.0.1.5
    wrong "$node: a bad address" 2 "10\.0\.0\.999" $BIN/$node tun0 10.0.0.999/24 10.0.1.5
    wrong "$node: a bad prefix" 2 "10\.0\.0\.1/33" $BIN/$node tun0 10.0.0.1/33 10.0.1.5
    wrong "$node: no prefix" 2 "10\.0\.0\.1" $BIN/$node tun0 10.0.0.1 10.0.1.5
    wrong "$node: a bad remote" 2 "nowhere" $BIN/$node tun0 10.0.0.1/24 nowhere
    wrong "$node: packet lines among JSON" 2 "--json and --verbose do not go together" \
        $BIN/$node --json -v tun0 10.0.0.1/24 10.0.1.5
    wrong "$node: a trace on standard output" 2 "--trace needs a file" \
        $BIN/$node --trace - tun0 10.0.0.1/24 10.0.1.5
    wrong "$node: a congestion control that is none" 2 "'cubik' \(did you mean 'cubic'\?\)" \
        $BIN/$node --cc cubik tun0 10.0.0.1/24 10.0.1.5
    wrong "$node: without what is no mechanism" 2 "'prx' \(did you mean 'prr'\?\)" \
        $BIN/$node --without rack,prx tun0 10.0.0.1/24 10.0.1.5
    wrong "$node: a congestion control like no other" 2 "'vegas'; there are cubic, reno, " \
        $BIN/$node --cc vegas tun0 10.0.0.1/24 10.0.1.5
    for option in --pcap --trace; do
        wrong "$node: the file of $option forgotten" 2 \
            "and 2 of 3 given: $option took 'tun0' as its FILE \(write $option FILE tun0\); try" \
            $BIN/$node $option tun0 10.0.0.1/24 10.0.1.5
        wrong "$node: the file of $option forgotten at the end" 2 "$option took '10.0.1.5' as its" \
            $BIN/$node tun0 10.0.0.1/24 $option 10.0.1.5
        wrong "$node: no remote node, and $option is innocent" 2 "and 2 of 3 given; try" \
            $BIN/$node $option tun0.file tun0 10.0.0.1/24
    done
    wrong "$node: a congestion control forgotten" 2 "there is no congestion control 'tun0'" \
        $BIN/$node --cc tun0 10.0.0.1/24 10.0.1.5
    wrong "$node: two lists of mechanisms" 2 "--without stands twice: 'rack' and 'prr'" \
        $BIN/$node --without rack --without prr tun0 10.0.0.1/24 10.0.1.5
    wrong "$node: two lists of impairments" 2 "--impair stands twice: 'loss 1%' and 'delay 2ms'" \
        $BIN/$node --impair 'loss 1%' --impair 'delay 2ms' tun0 10.0.0.1/24 10.0.1.5
    wrong "$node: no traces to join" 2 "--trace-join needs the files" $BIN/$node --trace-join
    wrong "$node: joins what is not there" 1 "/nowhere.json: No such file" \
        $BIN/$node --trace-join /nowhere.json
    wrong "$node: joins what is no trace" 1 "README.md: no trace; --trace FILE writes one" \
        $BIN/$node --trace-join README.md
    wrong "$node: joins a trace with itself" 2 "'README.md' and './README.md' are one file" \
        $BIN/$node --trace-join README.md Makefile ./README.md
    wrong "$node: an unknown impairment" 2 "--impair: 'lose' is no impairment; there are delay, loss" \
        $BIN/$node --impair 'delay 20ms, lose 1%' tun0 10.0.0.1/24 10.0.1.5
    wrong "$node: an impairment without its number" 2 \
        "--impair: 'loss' needs a percentage .*; try '.*$node --impair help'$" \
        $BIN/$node --impair 'loss' tun0 10.0.0.1/24 10.0.1.5
    wrong "$node: an impairment with a wrong number" 2 "--impair: '20' is not a time of up to" \
        $BIN/$node --impair 'delay 20' tun0 10.0.0.1/24 10.0.1.5
    wrong "$node: an impairment of no direction" 2 "--impair: 'up:' is not a direction" \
        $BIN/$node --impair 'up: delay 1ms' tun0 10.0.0.1/24 10.0.1.5
    wrong "$node: a seed that is no number" 2 "--seed: 'x' is not a number" \
        $BIN/$node --seed x tun0 10.0.0.1/24 10.0.1.5
    wrong "$node: a step without a seed" 2 "--step goes with --seed" \
        $BIN/$node --step 5ms tun0 10.0.0.1/24 10.0.1.5
    wrong "$node: a step that is too long" 2 "--step: '2' is not a time from 0 to 1 seconds" \
        $BIN/$node --seed 1 --step 2 tun0 10.0.0.1/24 10.0.1.5
    wrong "$node: a TUN name that is too long" 2 "tun0123456789abcd" \
        $BIN/$node tun0123456789abcd 10.0.0.1/24 10.0.1.5
done
for program in host peer netsetup; do
    is "$program --help: no line is wider than 79 columns" \
        "$($BIN/$program --help | awk 'length($0) > 79')" ""
done
wrong "host: more connections than its addresses have ports" 2 \
    "--connections 64513: the ports of the node's addresses are enough for 64512; give more --local" \
    "$BIN/host" --connections 64513 --local 10.0.0.7 --local fd00::7 tun0 10.0.0.1/24 10.0.1.5
wrong "host: bytes of no connections" 2 "--bytes goes with --connections" \
    $BIN/host --bytes 5 tun0 10.0.0.1/24 10.0.1.5
wrong "host: a port for what has none" 2 "--port does not go with --ping" \
    $BIN/host --ping --port 7 tun0 10.0.0.1/24 10.0.1.5
wrong "netsetup: an unknown command" 2 "sideways" $BIN/netsetup sideways
wrong "netsetup: an unknown option" 2 "--frobnicate" $BIN/netsetup --frobnicate
wrong "host: no privilege to make a TUN" 4 "no privilege.*once: $BIN/netsetup up" \
    setpriv --bounding-set -all --inh-caps -all $BIN/host tun0 10.0.0.1/24 10.0.1.5
wrong "netsetup up: no privilege" 4 "privilege|permission|permitted|root" \
    setpriv --bounding-set -all --inh-caps -all $BIN/netsetup up

# /dev/net without tun, in a mount namespace of its own.
no_tun=(unshare -m sh -c 'mount -t tmpfs none /dev/net && exec "$@"' sh)
wrong "host: no /dev/net/tun" 4 "/dev/net/tun" "${no_tun[@]}" $BIN/host tun0 10.0.0.1/24 10.0.1.5
wrong "netsetup up: no /dev/net/tun" 4 "/dev/net/tun" "${no_tun[@]}" $BIN/netsetup up

wrong "host: a wire that work is to be left to" 2 "--in-memory does not go with --offload tso4" \
    $BIN/host --in-memory --offload tso4 tun0 10.0.0.1/24 10.0.1.5

# /dev/net/tun that this user may not open: no matter what it is, as long as it is shut.
shut_tun=(unshare -m sh -c 'mount -t tmpfs none /dev/net && install -m 000 /dev/null /dev/net/tun &&
    exec setpriv --bounding-set -all --inh-caps -all "$@"' sh)
wrong "host: /dev/net/tun is shut" 4 "/dev/net/tun may not be opened.*chmod 666" "${shut_tun[@]}" \
    $BIN/host tun0 10.0.0.1/24 10.0.1.5

for n in 1999 1000001 04000 2e3 many; do
    wrong "a bench of $n connections" 2 "'$n' is no number from 2000 to 1000000" tests/bench/many.sh $n
done

net_up
# Each of these is another descriptor that it wants, as its start goes on.
for n in 4 5 6; do
    wrong "host: $n open files at most" 1 "too many open files.*ulimit -n" bash -c \
        "ulimit -n $n; exec 3>&- 4>&- 5>&- 6>&- 7>&-; exec \"\$@\"" \
        sh $BIN/host --quiet tun0 10.0.0.1/24 10.0.1.5
done

peer_start
wrong "a second node on a TUN in use" 5 "tun1: another process has it open" $BIN/host tun1 10.0.1.1/24 10.0.0.7
wrong "nobody listens there" 1 "refused.*$BIN/peer --port 4444 tun1" \
    $BIN/host --quiet --port 4444 tun0 10.0.0.1/24 10.0.1.5
for kernel in 10.0.0.1 10.0.1.1; do
    wrong "no server at the kernel's side $kernel" 1 "refused.*nc -l -p 4444" \
        $BIN/host --quiet --port 4444 tun0 10.0.0.1/24 $kernel
done
install $BIN/host "$WORK/twintun-host"
wrong "nobody is there, says the installed program" 1 "did not answer.*$WORK/twintun-netsetup status" \
    "$WORK/twintun-host" --quiet --connect-timeout 2 tun0 10.0.0.1/24 10.0.1.77
wrong "nobody is there" 1 "did not answer.*$BIN/netsetup status" \
    $BIN/host --quiet --connect-timeout 2 tun0 10.0.0.1/24 10.0.1.77

wrong "nobody has that address of IPv6" 1 "a peer with that address \(its --local\).*$BIN/netsetup status" \
    $BIN/host --quiet --connect-timeout 2 tun0 fd00::1/64 fd00:1::5

# Of the other version than ADDRESS: only the machine can say whose it is.
$BIN/host --local fd00::1 tun0 10.0.0.1/24 10.0.1.5 </dev/null >"$WORK/out" 2>"$WORK/err"
check "an address that the kernel has itself" \
    grep -q "fd00::1 is this machine's own address.*--local" "$WORK/err"

# A soft error of ICMP ends nothing, but it explains the time-out.
$BIN/host --connect-timeout 2 tun0 10.0.0.1/24 10.9.9.9 </dev/null >"$WORK/out" 2>"$WORK/err"
is "no route to the remote node: exit 1" $? 1
check "no route to the remote node: what the network said" \
    grep -q "the network said: a router has no route" "$WORK/err"

# A node is ready when it has all that it waits with: it never says so and then lacks descriptors.
for queues in 1 2; do
    few=0 liars=0
    for n in $(seq 4 40); do
        (ulimit -n "$n" && timeout 1 $BIN/peer --queues $queues tun7 10.0.7.1/24 10.0.0.7) \
            </dev/null >/dev/null 2>"$WORK/err"
        grep -qE "too many open files|descriptors for so many queues" "$WORK/err" || break
        few=$((few + 1)) liars=$((liars + $(grep -c " ready on " "$WORK/err")))
    done
    check "--queues $queues: $few runs with too few descriptors say so" test $few -gt 1
    is "... and none was ready before" $liars 0
done

# With --json an error is an object like all the others.
$BIN/host --json --port 4444 tun0 10.0.0.1/24 10.0.1.5 </dev/null 2>"$WORK/json"
is "refused, with --json: these events" \
    "$(sed -E 's/^\{"event":"([a-z]*)","program":"host",.*\}$/\1/' "$WORK/json" | xargs)" \
    "ready closed error summary"
check "refused, with --json: the text of the error" grep -q '"text":"10.0.1.5 refused: ' "$WORK/json"

wrong "standard input is a folder" 1 "reading standard input failed: Is a directory" \
    sh -c "exec $BIN/host --quiet tun0 10.0.0.1/24 10.0.1.5 </tmp"

wrong "a trace that cannot be written" 1 "/nowhere/t.json: cannot write the trace: No such file" \
    $BIN/host --quiet --trace /nowhere/t.json tun0 10.0.0.1/24 10.0.1.5

# A trace that is lost is a failure, though the session goes on.
$BIN/host --trace /dev/full tun0 10.0.0.1/24 10.0.1.5 <README.md >"$WORK/out" 2>"$WORK/err"
is "a trace on a full disk: exit 1" $? 1
check "it is said" grep -q 'trace /dev/full' "$WORK/err"
check "the session is whole" cmp README.md "$WORK/out"

# A capture that is lost is a failure, though the session goes on.
$BIN/host --pcap /dev/full tun0 10.0.0.1/24 10.0.1.5 <README.md >"$WORK/out" 2>"$WORK/err"
is "a capture on a full disk: exit 1" $? 1
check "it is said" grep -q 'capture /dev/full' "$WORK/err"
check "the session is whole" cmp README.md "$WORK/out"

# Whoever reads our output goes away: that is no failure of ours, and no endless run either.
head -c 4000000 /dev/zero >"$WORK/zeros"
timeout 20 $BIN/host --quiet tun0 10.0.0.1/24 10.0.1.5 <"$WORK/zeros" 2>"$WORK/err" | head -c 1 >"$WORK/out"
status=${PIPESTATUS[0]}
is "output closed early: an exit code of 1" "$status" 1
is "output closed early: one line" "$(wc -l <"$WORK/err")" 1
is "output closed early: what was read is right" "$(wc -c <"$WORK/out")" 1
check "peer lives on" ping -c 1 -W 2 10.0.1.5

stop $peer
before=$(date +%s%3N)
wrong "nobody runs peer" 1 "did not answer.*netsetup status" \
    $BIN/host --quiet --connect-timeout 2 tun0 10.0.0.1/24 10.0.1.5
took=$(($(date +%s%3N) - before))
check "--connect-timeout 2 took $took ms" [ $((took >= 2000 && took < 10000)) -eq 1 ]
$BIN/netsetup down >/dev/null 2>&1
$BIN/netsetup status >"$WORK/out" 2>"$WORK/err"
is "netsetup status when nothing is up: 3" $? 3

finish
