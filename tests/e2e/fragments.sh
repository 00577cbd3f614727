#!/usr/bin/env bash
#
# Fragments between the kernel and peer, both ways: pings and datagrams up to the largest there can
# be; then thousands of packets whose second half never comes, with honest ones among them.

. "$(dirname "$0")/lib.sh"
need ping nc curl
need_tun

net_up
six=0
[ ! -e /proc/sys/net/ipv6/conf/all/forwarding ] || six=1
if [ $six = 1 ]; then
    peer_start --local 10.0.1.5 --local fd00:1::5/64
else
    peer_start
fi

# pings ADDRESS SIZE OPTION...: three of that size are answered, byte for byte as ping compares them.
pings()
{
    local to=$1 size=$2 out
    shift 2

    out=$(ping -c 3 -i 0.2 -W 2 -s "$size" "$@" "$to" 2>&1)
    case $out in
    *"3 received"*"wrong data"* | *"wrong data"*) not_ok "ping $to -s $size $*" "$out" ;;
    *"3 received"*) ok "ping $to -s $size $*" ;;
    *) not_ok "ping $to -s $size $*" "$out" ;;
    esac
}

# refuses ADDRESS SIZE: what must not be taken apart does not leave the kernel.
refuses()
{
    local out

    out=$(ping -c 1 -W 1 -s "$2" -M "do" "$1" 2>&1)
    case $out in
    *"essage too long"* | *"mtu="*) ok "ping $1 -s $2 -M do is too long for the device" ;;
    *) not_ok "ping $1 -s $2 -M do is too long for the device" "$out" ;;
    esac
}

grew()
{
    echo $(($(told "$WORK/after.json" "$1") - $(told "$WORK/before.json" "$1")))
}

# sizes ADDRESS LARGEST OVERHEAD PIECES: OVERHEAD is the headers' length, PIECES how many fragments a
# ping of LARGEST bytes has.
sizes()
{
    local mtu=1500 size

    check "the counters can be read" peer_tells "$WORK/before.json"
    for size in 0 1400 1500 9000 "$2"; do
        pings "$1" "$size" -M dont
        pings "$1" "$size"
    done
    pings "$1" 0 -M "do"
    pings "$1" 1400 -M "do"
    pings "$1" $((mtu - $3)) -M "do"
    refuses "$1" $((mtu - $3 + 1))
    refuses "$1" 9000
    refuses "$1" "$2"
    check "and read again" peer_tells "$WORK/after.json"
    # three sizes do not fit into a packet, three times, with and without a word on fragments
    is "peer has put 18 packets together" "$(grew fragment.whole)" 18
    is "and had to give up none" "$(grew timer.fragments) $(grew room.fragments)" "0 0"
    is "39 echo requests were answered" "$(grew send.icmp.echo_reply)" 39
    is "answers left in fragments, too" "$(grew send.fragment)" $((6 * (1 + 6 + $4 - 1)))
}

# datagrams ADDRESS: nc sends up to 16 KiB in one.
datagrams()
{
    head -c 16000 /dev/urandom >"$WORK/datagram"
    nc -u -w 1 "$1" 7 <"$WORK/datagram" >"$WORK/back"
    is "a datagram of 16,000 bytes to $1 comes back" "$(sum "$WORK/back")" "$(sum "$WORK/datagram")"
}

# flood SOURCE ADDRESS SLOW: 8,192 first halves in two seconds, and pings and a datagram of 9,000
# bytes among them. SLOW is an honest source elsewhere, whose second halves come only afterwards.
flood()
{
    local halves=build/release/tools/halves before after

    check "the counters can be read" peer_tells "$WORK/before.json"
    check "16 first halves from $3, which is slow" $halves tun1 "$3" "$2" 16 1000
    before=$(awk '/VmRSS/ { print $2 }' /proc/$peer/status)
    ping -c 20 -i 0.1 -W 2 -s 9000 "$2" >"$WORK/ping" 2>&1 &
    pinger=$!
    (sleep 0.8 && nc -u -w 1 "$2" 7 <"$WORK/middle" >"$WORK/back") &
    asker=$!
    check "8,192 first halves from $1" $halves tun1 "$1" "$2" 8192 4096
    check "16 second halves from $3" $halves tun1 "$3" "$2" 16 1000 second
    wait $pinger $asker
    is "all 20 pings of 9,000 bytes are answered" "$(grep -c '^9008 bytes from' "$WORK/ping")" 20
    is "the datagram of 9,000 bytes comes back" "$(sum "$WORK/back")" "$(sum "$WORK/middle")"
    after=$(awk '/VmRSS/ { print $2 }' /proc/$peer/status)
    peer_tells "$WORK/after.json"
    is "8,229 packets began in fragments" "$(grew fragment.begun)" 8229
    is "of which 37 became whole, those of the slow source, too" "$(grew fragment.whole)" 37
    is "each fragment was put in its place" "$(grew fragment.kept)" $((8192 + 2 * 16 + 21 * 7))
    check "at most 128 wait, the others made room ($(grew room.fragments))" \
        test "$(grew room.fragments)" -ge $((8192 - 128)) -a "$(grew room.fragments)" -le 8192
    check "memory grew by no more than was reserved ($((after - before)) KiB)" \
        test $((after - before)) -le $((128 * 68 + 1024))
}

head -c 9000 /dev/urandom >"$WORK/middle"
sizes 10.0.1.5 65507 28 45
datagrams 10.0.1.5
if [ $six = 1 ]; then
    sizes fd00:1::5 65507 48 46
    datagrams fd00:1::5
else
    skip "fragments of IPv6" "this kernel has no IPv6"
fi
flood 10.0.0.99 10.0.1.5 10.0.0.50
[ $six = 0 ] || flood fd00::99 fd00:1::5 fd00:0:0:5::50

check "a ping is still answered" ping -c 1 -W 2 10.0.1.5
is "a handshake still completes" "$(echo still | nc -w 5 -N 10.0.1.5 8000)" still
stop $peer
is "peer exits 0" $? 0
finish
