#!/usr/bin/env bash
#
# netsetup where the machine refuses a part of what it does. A sysctl that is covered by a read-only
# mount of itself stands for every refusal: `up` takes back what it did before, and `down` finishes
# later what it could not finish now. And what somebody else has changed since is not put back. The
# same for the switches of IPv6.

. "$(dirname "$0")/lib.sh"
need_tun

conf=/proc/sys/net/ipv4
conf6=/proc/sys/net/ipv6/conf
cover()
{
    mount --bind "$1" "$1" 2>/dev/null && mount -o remount,ro,bind "$1" 2>/dev/null
}

state()
{
    ip -o link | cut -d' ' -f2
    grep -r . $conf/ip_forward $conf/conf/*/forwarding $conf/conf/*/accept_redirects
    command -v iptables >/dev/null && iptables -w -t raw -S 2>/dev/null | grep twintun
    grep -rs . $conf6/*/forwarding
    command -v ip6tables >/dev/null && ip6tables -w -t raw -S 2>/dev/null | grep twintun
}

echo 0 >$conf/ip_forward
echo 1 >$conf/conf/lo/forwarding
state >"$WORK/before"
cover $conf/ip_forward || { skip "everything" "no file can be mounted over another here"; exit 77; }

"$BIN/netsetup" up >"$WORK/out" 2>&1
is "up, without the right to forward: exit 4" $? 4
state >"$WORK/after"
check "up takes back what it had done" diff "$WORK/before" "$WORK/after"
check "and nothing is left to undo" grep -q 'nothing to undo' <("$BIN/netsetup" down 2>&1)
umount $conf/ip_forward

check "up, with the right" "$BIN/netsetup" up
cover $conf/conf/lo/forwarding
"$BIN/netsetup" down >"$WORK/out" 2>&1
is "down, stopped between two switches: exit 4" $? 4
is "the first was put back" "$(cat $conf/ip_forward)" 0
is "the second not" "$(cat $conf/conf/lo/forwarding)" 0
umount $conf/conf/lo/forwarding
check "down again" "$BIN/netsetup" down
state >"$WORK/after"
check "everything is as it was before" diff "$WORK/before" "$WORK/after"

check "up, once more" "$BIN/netsetup" up
echo 0 >$conf/ip_forward
check "down, after somebody turned all forwarding off" "$BIN/netsetup" down
is "no switch is turned on again" "$(cat $conf/conf/lo/forwarding)" 0

if [ "$(cat $conf6/default/disable_ipv6 2>/dev/null)" = 0 ]; then
    echo 0 >$conf6/all/forwarding
    echo 1 >$conf6/lo/forwarding
    state >"$WORK/before"
    check "up, with IPv6" "$BIN/netsetup" up
    is "IPv6 is forwarded" "$(cat $conf6/all/forwarding)" 1
    cover $conf6/lo/forwarding
    "$BIN/netsetup" down >"$WORK/out" 2>&1
    is "down, stopped between two switches of IPv6: exit 4" $? 4
    is "the rest is undone" "$(cat $conf6/all/forwarding $conf/ip_forward | tr -d '\n')" 00
    umount $conf6/lo/forwarding
    check "down again" "$BIN/netsetup" down
    state >"$WORK/after"
    check "IPv6's switches are as they were before" diff "$WORK/before" "$WORK/after"
fi
finish
