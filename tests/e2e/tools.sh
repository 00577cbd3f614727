#!/usr/bin/env bash
#
# What host finds out with --ping, --traceroute and --udp, through the kernel as a router: from peer,
# from the kernel itself, from a kernel behind it, and from nobody.
#
#   host tun0 == kernel == tun1 peer
#                  |
#               far 10.9.1.2, fd00:9::2

. "$(dirname "$0")/lib.sh"
need nc ip
need_tun

# tool [OPTION...] REMOTE: host as a tool; its standard output and its exit code are kept.
tool()
{
    local remote=${!#} net=10.0.0.1/24

    case $remote in *:*) net=fd00::1/64 ;; esac
    timeout 30 "$BIN/host" "${@:1:$#-1}" tun0 $net "$remote" >"$WORK/out" 2>"$WORK/err"
    code=$?
}

# replies: how many lines tell of one, all with sequence numbers that count up from 1.
replies()
{
    awk '/ bytes from .* ttl=[0-9]+ time=[0-9.]+ ms$/ {
             n++
             if (!match($0, "icmp_seq=" n " ")) bad = 1
         }
         END { print bad ? "not in order" : n + 0 }' "$WORK/out"
}

# pings REMOTE TTL: what --ping says of a node that is there; its replies have this TTL.
pings()
{
    local size most=65507

    case $1 in *:*) most=65527 ;; esac
    tool --ping --count 5 --interval 0.05 -W 5 "$1"
    is "ping $1: 0" "$code" 0
    is "ping $1: five replies" "$(replies)" 5
    check "ping $1: nothing lost" grep -qE '^5 packets transmitted, 5 received, 0% packet loss, time [0-9]+ms$' "$WORK/out"
    check "ping $1: least, average, most, deviation" \
        awk -F'[ /]' '/^rtt min.avg.max.mdev = / { ok = $7 > 0 && $7 <= $8 && $8 <= $9 } END { exit !ok }' "$WORK/out"
    is "ping $1: the replies' TTL" "$(grep -c " ttl=$2 " "$WORK/out")" 5
    for size in 0 1400 9000 $most; do
        tool --ping -c 2 -i 0.05 -W 5 -s $size "$1"
        is "ping $1 -s $size" "$code $(replies) $(grep -c "^$((size + 8)) bytes from" "$WORK/out")" "0 2 2"
    done
    tool --ping -c 1 -s 9000 --df -W 0.5 "$1"
    is "ping $1 -s 9000 --df: 1, for it does not leave" "$code" 1
    check "ping $1 -s 9000 --df: says why" grep -q 'icmp_seq=1: not sent: longer than the path takes' "$WORK/out"
    tool --ping -c 1 --ttl 1 "$1"
    is "ping $1 --ttl 1" "$code" "$3"
}

# hops: "HOP ADDRESS PROBES" for each line, and what is marked.
hops()
{
    awk 'NR > 1 {
             n = gsub(/ ms/, " ms"); mark = match($0, /![A-Z<]/) ? substr($0, RSTART, 2) : ""
             printf "%s %s %d%s; ", $1, $2, n, mark
         }' "$WORK/out"
}

net_up
# as a router the kernel says few errors in a second to one node, and here that is us all the time
sysctl -q -w net.ipv4.icmp_ratemask=0 net.ipv6.icmp.ratelimit=0 2>"$WORK/sysctl.err"
six=
with=()
if [ -e /proc/sys/net/ipv6/conf/all/forwarding ]; then
    six=1
    with=(--local 10.0.1.5/24 --local fd00:1::5/64)
else
    skip "over IPv6" "this kernel has no IPv6"
fi
peer_start "${with[@]}"

# ---- ping ----

pings 10.0.1.5 63 1
check "ping --ttl 1: the router says so" grep -q '^From 10.0.0.1 icmp_seq=1: .*time to live' "$WORK/out"
pings 10.0.0.1 64 0 # the kernel's own side
[ -z $six ] || pings fd00:1::5 63 1
[ -z $six ] || pings fd00::1 64 0

# A link behind the router takes less: it says so, and then host knows.
ip link set tun1 mtu 1280
for remote in 10.0.1.5 ${six:+fd00:1::5}; do
    tool --ping -c 3 -i 0.1 -s 1400 --df -W 0.5 $remote
    is "ping $remote --df over a smaller link: 1" "$code" 1
    check "the router says what it takes" grep -q '^From .* icmp_seq=1: .*too big.* (mtu 1280)$' "$WORK/out"
    is "and host sends no more of these" "$(grep -c 'not sent: longer than the path takes' "$WORK/out")" 2
done
tool --ping -c 3 -i 0.1 -s 1400 10.0.1.5
is "ping without --df goes in fragments" "$code $(replies)" "0 3"
ip link set tun1 mtu 1500

ip route add unreachable 10.99.0.0/24
ip route add prohibit 10.98.0.0/24
ip route add blackhole 10.97.0.0/24
tool --ping -c 2 -i 0.05 10.99.0.1
is "ping of what a router does not reach: 1" "$code" 1
check "and who said so" grep -q '^From 10.0.0.1 icmp_seq=2: a router does not reach the remote node' "$WORK/out"
check "it counts as lost" grep -q '^2 packets transmitted, 0 received, +2 errors, 100% packet loss' "$WORK/out"
tool --ping --quiet -c 2 -i 0.05 10.99.0.1
is "ping --quiet: not who said so, but how many" "$code $(grep -c icmp_seq "$WORK/out") $(grep -c ', +2 errors, 100% packet loss' "$WORK/out")" "1 0 1"
tool --ping --quiet -c 2 -i 0.05 -W 5 10.0.1.5
is "ping --quiet of a node that is there: no replies, but how many" \
    "$code $(grep -c icmp_seq "$WORK/out") $(grep -c '2 received, 0% packet loss' "$WORK/out")" "0 0 1"
tool --ping -c 2 -i 0.05 -W 0.2 10.97.0.1
is "ping of nobody: 1" "$code $(grep -c 'bytes from\|^From' "$WORK/out")" "1 0"
check "all of it is lost" grep -q '^2 packets transmitted, 0 received, 100% packet loss' "$WORK/out"
tool --json --ping -c 2 -i 0.05 -W 5 10.0.1.5
check "for programs" grep -q '"event":"ping".*"sent":2,"received":2.*"loss_percent":0,"rtt_min_ms":' "$WORK/err"

timeout 20 "$BIN/host" --ping -i 0.05 tun0 10.0.0.1/24 10.0.1.5 >"$WORK/out" 2>"$WORK/err" &
pinger=$!
wait_for 5 grep -q icmp_seq=3 "$WORK/out"
kill -INT "$(pgrep -P $pinger)"
wait $pinger
is "Ctrl-C ends it with the summary, and 0" "$? $(grep -c '% packet loss' "$WORK/out")" "0 1"

# ---- traceroute ----

for method in udp icmp; do
    tool --traceroute --method $method 10.0.1.5
    is "traceroute by $method: the kernel is a hop, peer the end" "$code $(hops)" \
        "0 1 10.0.0.1 3; 2 10.0.1.5 3; "
    [ -z $six ] || tool --traceroute --method $method fd00:1::5
    [ -z $six ] || is "traceroute by $method over IPv6" "$code $(hops)" "0 1 fd00::1 3; 2 fd00:1::5 3; "
done
tool --traceroute --max-hops 1 --queries 2 10.0.1.5
is "traceroute that may not go so far: 1" "$code $(hops)" "1 1 10.0.0.1 2; "
tool --traceroute --ttl 2 10.0.1.5
is "traceroute that begins later" "$code $(hops)" "0 2 10.0.1.5 3; "
sleep 2 # of errors by a route it says fewer still
tool --traceroute --queries 1 10.99.0.1
is "traceroute where a router does not go on" "$code $(hops)" "1 1 10.0.0.1 1!H; "
sleep 2
tool --traceroute --queries 1 10.98.0.1
is "traceroute where a router must not" "$code $(hops)" "1 1 10.0.0.1 1!X; "
tool --traceroute --queries 1 --max-hops 2 -W 0.3 10.97.0.1
is "traceroute into nothing" "$code $(hops)" "1 1 * 0; 2 * 0; "
if far_up far 1; then
    tool --traceroute 10.9.1.2
    is "traceroute to a kernel behind the kernel" "$code $(hops)" "0 1 10.0.0.1 3; 2 10.9.1.2 3; "
    tool --ping -c 2 -i 0.05 -W 5 10.9.1.2
    is "and ping" "$code $(replies)" "0 2"
    ip netns exec far timeout 5 nc -u -l -p 5000 >"$WORK/heard" </dev/null &
    wait_for 5 sh -c "ip netns exec far ss -lun | grep -q :5000"
    echo "over there" | "$BIN/host" --udp --port 5000 tun0 10.0.0.1/24 10.9.1.2 2>"$WORK/err"
    is "a datagram to nc there" "$(cat "$WORK/heard")" "over there"
else
    skip "a kernel behind the kernel" "$(tail -1 "$WORK/far.err")"
fi

# ---- UDP ----

# says TEXT PORT REMOTE [OPTION...]
says()
{
    local text=$1 port=$2 remote=$3
    shift 3

    tool --udp --port "$port" --wait 0.3 "$@" "$remote" <<<"$text"
}

for remote in 10.0.1.5 ${six:+fd00:1::5}; do
    says drawer 6969 $remote
    is "udp to $remote: what comes is printed" "$code $(tr -d '\n' <"$WORK/out")" "0 reward"
    check "and at the end how much" grep -qE \
        ": sent 1 datagram of 7 bytes, received 1 of 7 bytes in [0-9.]+ m?s$" "$WORK/err"
    says drawer 6969 $remote --quiet
    is "udp to $remote --quiet: no more than that" "$code $(xargs <"$WORK/out") $(wc -c <"$WORK/err")" "0 reward 0"
    says drawer 6969 $remote --json
    check "udp to $remote: for programs" \
        grep -qE '"event":"udp".*"datagrams_sent":1,.*"bytes_received":7,.*"duration_ms":' "$WORK/err"
    check "udp to $remote: the time is what passed until the last datagram, in ms" \
        awk -v ms="$(told "$WORK/err" duration_ms)" 'BEGIN { exit !(ms > 0.01 && ms < 300) }'
    says x 19 $remote
    check "udp to $remote: chargen" test -s "$WORK/out"
    says x 4444 $remote
    is "udp to $remote: refused is 1" "$code" 1
    check "and says what is wrong" grep -q 'refused: nobody takes datagrams on port 4444' "$WORK/err"
    is "and on which ports a peer takes them" \
        "$(grep -o 'a peer takes them on .*, say' "$WORK/err" | grep -oE '[0-9]+' | xargs)" \
        "$(grep -oE '[0-9]+/udp' "$WORK/peer.err" | cut -d/ -f1 | xargs)"
    head -c 14000 /dev/urandom >"$WORK/large"
    tool --udp --port 7 --wait 0.3 $remote <"$WORK/large"
    is "udp to $remote: a large datagram comes back" "$(sum "$WORK/out")" "$(sum "$WORK/large")"
    tool --udp --port 7 --df $remote <"$WORK/large"
    is "udp to $remote --df: 1, for it does not leave" "$code" 1
done
for remote in 10.0.0.1 10.0.1.1 ${six:+fd00::1}; do
    says x 4444 $remote
    is "udp to the kernel's side $remote: refused is 1, and says that it is the kernel's" \
        "$code $(grep -o 'refused.*kernel.s own side.*' "$WORK/err" | grep -o 'nc .*')" "1 nc -u -l -p 4444"
done
is "and the wrong use of options is 2" \
    "$("$BIN/host" --count 3 tun0 10.0.0.1/24 10.0.1.5 2>/dev/null; echo $?)" 2
head -c 3M /dev/zero >"$WORK/large"
tool --udp --port 9 --size 1200 --wait 0.5 10.0.1.5 <"$WORK/large"
is "udp of much" "$code" 0
check "and at the end how fast, without the wait" awk -v left=1 '
    / sent 2622 datagrams of 3145728 bytes, received 0 of 0 bytes in [0-9.]+ ms \([0-9.]+ [MG]bit\/s\)$/ {
        sub(/.* in /, "")
        left = $1 + 0 >= 400
    }
    END { exit left }' "$WORK/err"
stop $peer
finish
