#!/usr/bin/env bash
#
# What netsetup remembers between `up` and `down`, in odd places and after a violent end: `down` finds
# it, undoes it, and leaves nothing behind.

. "$(dirname "$0")/lib.sh"
need_tun

inode=$(stat -L -c %i /proc/self/ns/net)
netsetup()
{
    "$BIN/netsetup" "$@" >"$WORK/out" 2>&1
}
# nothing_left WHAT: neither a TUN nor a trace of the journal.
nothing_left()
{
    is "$1: nothing is left" "$(ls -d /sys/class/net/tun* /proc/sys/net/ipv4/conf/tun* /run/twintun* \
        /tmp/twintun-*/net-"$inode".* 2>/dev/null)" ""
}

# Killed while the journal is written: the file in the making is there, whole or not.
mkdir -m 755 /run/twintun
echo '{"version": 1, "ch' >/run/twintun/net-$inode.tmp
check "down after a kill before the first journal" netsetup down
is "down says that there was nothing to undo" "$(cat "$WORK/out")" "netsetup: nothing to undo"
nothing_left "down after a kill before the first journal"
mkdir -m 755 /run/twintun
check "down after a kill between folder and file" netsetup down
nothing_left "down after a kill between folder and file"
netsetup up
echo '{"version": 1, "ch' >/run/twintun/net-$inode.tmp
echo '{}' >/run/twintun/net-1.tmp
check "down after a kill in the middle" netsetup down
nothing_left "down after a kill in the middle"

# A link in the place of that file.
mkdir -m 755 /run/twintun
ln -s "$WORK/target" /run/twintun/net-$inode.tmp
netsetup up
is "a link that up would write through: exit 1" $? 1
check "the line names it, and what to do" grep -q \
    "cannot write the journal.* /run/twintun/net-$inode.tmp: .*symbolic.*; remove that link" "$WORK/out"
check "it is not followed" test ! -e "$WORK/target"
rm -r /run/twintun
nothing_left "a link that up would write through"

# Where /run cannot be written, what the environment says at `down` makes no difference.
mkdir "$WORK/xdg" 2>/dev/null
mount -o remount,ro /run
XDG_RUNTIME_DIR=$WORK/xdg netsetup up
is "up where /run is read-only" $? 0
is "status without the environment of up: it is up" \
    "$(env -u XDG_RUNTIME_DIR "$BIN/netsetup" status >/dev/null 2>&1; echo $?)" 0
XDG_RUNTIME_DIR='' netsetup down
is "down without the environment of up" $? 0
check "it undid all" grep -q 'down: .* changes undone' "$WORK/out"
nothing_left "down without the environment of up"
mount -o remount,rw /run

# Many interfaces, each with a forwarding switch of its own, all of which turning ip_forward off again
# would reset.
echo 0 >/proc/sys/net/ipv4/ip_forward
# many FROM TO: interfaces with these numbers.
many()
{
    local i

    for i in $(seq "$1" "$2"); do
        echo "tuntap add dev many$i mode tun"
    done | ip -batch -
    for i in $(seq "$1" "$2"); do
        echo 1 >/proc/sys/net/ipv4/conf/many"$i"/forwarding
    done
}
many 1 100
check "up with 100 forwarding switches" netsetup up
is "forwarding is on" "$(cat /proc/sys/net/ipv4/ip_forward)" 1
check "down with them" netsetup down
is "forwarding is off, and every switch as it was" \
    "$(cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/many*/forwarding | sort | uniq -c |
        tr -s ' \n' ' ')" " 1 0 100 1 "
many 101 520
netsetup up
is "more than can be put back: exit 1" $? 1
check "and the line says what to do" grep -q "sysctl -w net.ipv4.ip_forward=1" "$WORK/out"
nothing_left "more than can be put back"
is "and every switch is as it was" \
    "$(cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/many*/forwarding | sort | uniq -c |
        tr -s ' \n' ' ')" " 1 0 520 1 "
finish
