#!/usr/bin/env bash
#
# A flood of SYNs from forged addresses at the port that honest clients use: first at the rate of
# peer's device, whose queue is full all the time, then for a while as fast as the kernel forwards,
# which is more than any node could read. Honest clients are served meanwhile, a live connection
# loses no byte, and peer takes no memory for it.
#
# Where the queue has no room, honest packets are lost like others, and come again: a SYN after 1, 2,
# 4 seconds. So what is shown is that clients are served while the flood lasts, and how soon.

. "$(dirname "$0")/lib.sh"
need curl nc ping sha256sum
need_tun
tools=build/release/tools
flood=14 clients=400 rate=100 # seconds; clients, and how many of them come in a second
mercy=12                      # seconds that the clients have, all within the flood's
hard=3                        # seconds of the second flood

rss() # in KiB, the most there ever was
{
    awk '/^VmHWM/ { print $2 }' "/proc/$peer/status"
}

no_room() # packets that found none in tun1's queue
{
    awk '$1 == "tun1:" { print $13 }' /proc/net/dev
}

# flood_start NAME SECONDS [VICTIM]: it begins with a line to descriptor 8; its pid is $flooder.
flood_start()
{
    local name=$1 seconds=$2
    shift 2

    rm -f "$WORK/start"
    mkfifo "$WORK/start"
    "$tools/synflood" flood0 10.0.1.5 7 "$seconds" "$@" <"$WORK/start" >"$WORK/$name" \
        2>"$WORK/$name.err" &
    flooder=$!
    exec 8>"$WORK/start"
    wait_for 5 grep -q flooding "$WORK/$name.err" || not_ok "the flood" "$(cat "$WORK/$name.err")"
    ip addr add 10.64.0.1/10 dev flood0 && ip link set flood0 up || not_ok "the flood's addresses"
}

# report NAME: what came of that flood, between before.json and after.json.
report()
{
    local syns ms in cookies

    read -r syns ms <"$WORK/$1"
    in=$(($(told "$WORK/after.json" packets_in) - $(told "$WORK/before.json" packets_in)))
    cookies=$(($(told "$WORK/after.json" send.syn_ack.cookie) - \
        $(told "$WORK/before.json" send.syn_ack.cookie)))
    echo "    $1: $syns SYNs in $ms ms; for $(($(no_room) - room)) packets there was no room in" \
        "tun1's queue; peer read $in packets and sent $cookies cookies"
    check "$1: it was a flood, 3,000 SYNs a second and more" test "$syns" -ge $((3 * ms))
    check "$1: peer sent cookies" test "$cookies" -ge $((syns / 10))
}

# Without a flood, for comparison.
net_up
peer_start
"$tools/knock" 10.0.1.5 7 100 200 10 >"$WORK/calm"
read -r _ served _ _ median worst <"$WORK/calm"
is "100 clients without a flood are served" "$served" 100
echo "    without a flood: half of them in $median ms, all in $worst ms"
before=$(rss)

# A live connection, with something to say all the time.
head -c 2000000 /dev/urandom >"$WORK/ours"
slowly()
{
    for ((i = 0; i < 100; i++)); do
        dd if="$WORK/ours" bs=20000 skip=$i count=1 2>/dev/null
        sleep 0.1
    done
}
slowly | nc -N -w 90 10.0.1.5 7 >"$WORK/back" &
live=$!
sleep 0.3

peer_tells "$WORK/before.json"
flood_start flood $flood tun1
room=$(no_room)
echo >&8
sleep 1
"$tools/knock" 10.0.1.5 7 $clients $rate $mercy >"$WORK/knock"
check "the clients were there while the flood lasted" kill -0 $flooder
wait $flooder
is "the flood ends by itself" $? 0
wait_for 30 peer_tells "$WORK/after.json"
report flood
read -r _ served reset late median worst <"$WORK/knock"
echo "    clients: $served of $clients served, $reset refused, $late late;" \
    "half of them in $median ms, all of these in $worst ms"
check "99 of 100 honest clients were served meanwhile" test $((served * 100)) -ge $((clients * 99))
is "none of them was refused" "$reset" 0
wait $live
is "the live connection lost no byte" "$(sum "$WORK/back")" "$(sum "$WORK/ours")"

# Without mercy.
wait_for 30 peer_tells "$WORK/before.json"
flood_start deluge $hard
room=$(no_room)
echo >&8
wait $flooder
is "the deluge ends by itself" $? 0
wait_for 30 peer_tells "$WORK/after.json"
report deluge
after=$(rss)
echo "    memory: $before KiB before, $after KiB at most since"
check "peer took less than 4 MiB for both" test $((after - before)) -lt 4096
is "no half-open connection was sent away" "$(told "$WORK/after.json" room.half_open)" 0
check "a ping is still answered" ping -c 1 -W 2 10.0.1.5
is "a handshake still completes" "$(echo still | nc -w 5 -N 10.0.1.5 8000)" still
stop $peer
is "peer exits 0" $? 0
finish
