#!/usr/bin/env bash
#
# A running node is asked what it knows: by whom it is answered, that the answer is right, and that
# the node goes on as if nobody had asked.

. "$(dirname "$0")/lib.sh"
need curl
need_tun

# status CODE PATTERN COMMAND...: the exit code, and a line of the answer, or of what is said instead.
status()
{
    local what=$1 code=$2 pattern=$3 got
    shift 3

    timeout 20 "$@" >"$WORK/status.out" 2>"$WORK/status.err" </dev/null
    got=$?
    if [ $got -eq "$code" ] && cat "$WORK/status.out" "$WORK/status.err" | grep -qE -- "$pattern"; then
        ok "$what"
    else
        not_ok "$what" "exit $got, wanted $code and a line like /$pattern/" \
            "$(cat "$WORK/status.out" "$WORK/status.err")"
    fi
}

net_up
status "nobody runs on tun0: exit 1, and what to do" 1 \
    "^host: no node runs on tun0 .*: $BIN/host tun0 10.0.0.1/24 10.0.1.5$" $BIN/host --status
status "nobody runs on tun1: exit 1, and what to do" 1 \
    "^peer: no node runs on tun1 .*: $BIN/peer tun1 10.0.1.1/24 10.0.0.7$" $BIN/peer --status
status "the same as JSON" 1 '^\{"event":"error","program":"host","text":"no node runs on tun7 in this network namespace"' \
    $BIN/host --status --json tun7
status "a name that no TUN can have" 2 "needs the name of a TUN" $BIN/host --status tun0123456789abcd
status "an operand too many" 2 "one operand too many" $BIN/host --status tun0 10.0.0.1/24 10.0.1.5 more

peer_start
status "a node without connections" 0 "^peer 10.0.1.5 on tun1: 0 connections; packets: " $BIN/peer --status
mkfifo "$WORK/typed"
host --port 7 <"$WORK/typed" >"$WORK/host.out" 2>"$WORK/host.err" &
host=$!
exec 9>"$WORK/typed"
printf 'hello' >&9
wait_for 5 grep -q hello "$WORK/host.out"
wait_for 5 sh -c "$BIN/host --status | grep -qw bytes_acked:5"
status "a connection, as ss shows it" 0 "^ESTABLISHED +0 +0 +10.0.0.7:[0-9]+ +10.0.1.5:7$" $BIN/host --status
is "no line is wider than 79 columns" "$(awk 'length($0) > 79' "$WORK/status.out")" ""
check "its counts are right" sh -c "tr ' ' '\n' <$WORK/status.out >$WORK/words &&
    grep -qx bytes_sent:5 $WORK/words && grep -qx bytes_acked:5 $WORK/words &&
    grep -qx bytes_received:5 $WORK/words && grep -qx pmtu:1500 $WORK/words"
status "asked as it was called" 0 "10.0.1.5:7 +10.0.0.7:" $BIN/peer --status tun1 10.0.1.1/24 10.0.0.7
status "with -v, counters and what they mean" 0 "opens a connection \(RFC 9293 3.5\)" $BIN/host --status -v
status "any of the programs asks about any TUN" 0 "^host 10.0.0.7 on tun0" $BIN/peer --status tun0
status "as JSON" 0 '"program":"host","node":"10.0.0.7","tun":"tun0","pid":[0-9]+,' $BIN/host --status --json
for field in bytes_sent:5 send_q:0 mss:1448 retrans:0 remote_port:7 send.data:1; do
    is "JSON: ${field%:*} is ${field#*:}" "$(told "$WORK/status.out" "${field%:*}")" "${field#*:}"
done
check "curl gets the same values of peer" peer_tells "$WORK/curl.json"
for name in bytes_sent advmss rcv_wnd minrtt; do
    check "curl's JSON has $name" grep -q "\"$name\":" "$WORK/curl.json"
done

# Who asks and does not read holds up neither the node nor the next one who asks.
$BIN/host --status tun1 9>&- | sleep 60 9>&- &
sleeper=$!
head -c 8000000 /dev/urandom >"$WORK/file"
exec 9>&-
wait $host
(while :; do $BIN/host --status tun1 >/dev/null && echo asked; done) >"$WORK/asked" 2>/dev/null &
asking=$!
host <"$WORK/file" >"$WORK/back" 2>"$WORK/host.err"
is "8 MB there and back while others ask" "$(sum "$WORK/back")" "$(sum "$WORK/file")"
kill $asking $sleeper
wait $asking $sleeper 2>/dev/null
check "they were answered all the time ($(wc -l <"$WORK/asked") times)" \
    test "$(wc -l <"$WORK/asked")" -ge 3
status "and are now" 0 "^peer 10.0.1.5 on tun1" $BIN/peer --status

# Many connections at once, over a path that is long enough for them to be there at the same time.
host --connections 1000 --impair 'delay 30ms' >"$WORK/load.out" 2>"$WORK/load.err" &
load=$!
most=0
while ! gone $load; do
    $BIN/host --status --json tun1 >"$WORK/many" 2>/dev/null && n=$(grep -c '"state":"ESTABLISHED"' "$WORK/many") &&
        [ "$n" -gt "$most" ] && most=$n && cp "$WORK/many" "$WORK/most"
done
wait $load
is "a thousand connections while one asks" $? 0
check "most of them were seen ($most)" test "$most" -ge 100
is "each row is a whole one" "$(grep -c '^{"state":.*"age":[0-9.]*},\?$' "$WORK/most")" \
    "$(grep -c '^{"state"' "$WORK/most")"

# What an impaired path has done so far, and what BBR and loss recovery make of it.
head -c 1000000 /dev/zero | host --cc bbr --port 9 --impair 'out: rate 10mbit queue 34p, loss 2%; in: delay 40ms' \
    >/dev/null 2>"$WORK/bbr.err" &
bbr=$!
while ! gone $bbr; do
    $BIN/host --status >>"$WORK/bbr.text" 2>/dev/null
    $BIN/host --status --json >>"$WORK/bbr.json" 2>/dev/null
    sleep 0.05
done
check "BBR's model, as ss shows it" grep -qE \
    'bbr:\(bw:[0-9.]+[KM]bps,mrtt:[0-9.]+,pacing_gain:[0-9.]+,cwnd_gain:[0-9.]+\)' "$WORK/bbr.text"
check "what the path did so far" grep -qE '^impaired, out: [0-9]+ packets, [0-9]+ impair.lost' "$WORK/bbr.text"
for value in sacked retrans_out; do
    check "JSON, while it repairs: $value" grep -qE "\"$value\":[1-9]" "$WORK/bbr.json"
done
check "JSON: what the path did so far" grep -qE \
    '^"impaired":\{"out":\{"packets":[0-9]+,"counters":\{"impair.lost":[1-9]' "$WORK/bbr.json"
is "JSON of peer, whose path is not impaired" "$($BIN/peer --status --json | grep '^"impaired"')" '"impaired":null,'

# Other users are not answered.
if [ "$(awk '{ n += $3 } END { print (n > 1) }' /proc/self/uid_map)" = 1 ]; then
    status "another user is refused" 1 "tun1: this node belongs to another user" \
        setpriv --reuid 65534 --clear-groups $BIN/host --status tun1
else
    skip "another user is refused" "this namespace has one user only"
fi

stop $peer
status "when it has gone nobody answers" 1 "no node runs on tun1" $BIN/peer --status
finish
