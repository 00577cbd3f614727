#!/usr/bin/env bash
#
# The real firewalld, on a bus of its own in this network: the lab passes while it is up, and before
# and after firewalld and the machine are the same, also if netsetup is killed; nothing permanent is
# changed. With its own tables of nftables; and, each in a network of its own, with iptables.

. "$(dirname "$0")/lib.sh"
need_tun
need firewalld firewall-cmd dbus-daemon nft

# without WHY: what it takes is not to be had here.
without()
{
    echo "skip - $NAME # $1"
    exit 77
}

# keeps BACKEND: firewalld starts, on a bus of its own, and answers. Who asks one that does not waits
# for long.
keeps()
{
    mkdir -p /run/dbus /run/lock
    dbus-daemon --system --fork --nopidfile 2>"$WORK/firewalld.log" &&
        cp -r /etc/firewalld "$WORK/etc" && mount --bind "$WORK/etc" /etc/firewalld || return 1
    sed -i "s/^FirewallBackend=.*/FirewallBackend=$1/" "$WORK/etc/firewalld.conf"
    firewalld --nofork --nopid >"$WORK/firewalld.log" 2>&1 &
    for _ in 1 2 3 4 5 6 7 8; do
        timeout 3 firewall-cmd --state >/dev/null 2>&1 && return
        sleep 0.3
    done
    return 1
}

# state FILE: the machine, and what firewalld knows and keeps.
state()
{
    machine "$1"
    { firewall-cmd --list-all-zones; find /etc/firewalld -type f -exec sha256sum {} +; } >>"$1" 2>&1
}

restored()
{
    state "$WORK/after"
    is "$1" "$(diff "$WORK/before" "$WORK/after")" ""
}

zones()
{
    for d in tun0 tun1; do firewall-cmd --get-zone-of-interface=$d 2>&1; done | tr '\n' ' '
}

talk()
{
    echo hello | timeout 5 "$BIN/host" tun0 10.0.0.1/24 10.0.1.5 2>/dev/null
}

# with_iptables WHICH: the same in short.
with_iptables()
{
    mount -t tmpfs tmpfs /run && ip link set lo up
    if [ "$1" = legacy ] && ! mount --bind /usr/sbin/xtables-legacy-multi /usr/sbin/xtables-nft-multi ||
        ! keeps iptables || ! iptables -S FORWARD_ZONES >/dev/null 2>>"$WORK/firewalld.log"; then
        skip "firewalld with iptables ($1)" "it does not run so: $(tail -n 1 "$WORK/firewalld.log")"
        return
    fi
    firewall-cmd -q --zone=trusted --add-interface=other0
    firewall-cmd -q --zone=trusted --remove-interface=other0
    state "$WORK/before"
    "$BIN/netsetup" -q up
    is "iptables ($1): both TUNs are in the trusted zone" "$(zones)" "trusted trusted "
    peer_start
    is "iptables ($1): packets pass" "$(talk)" hello
    stop $peer
    "$BIN/netsetup" -q down
    restored "iptables ($1): everything is what it was"
}
for which in nft legacy; do
    mkdir "$WORK/$which"
    unshare -nmpf --kill-child --mount-proc bash -uc "$(declare -f); $(declare -p BIN WORK NAME which host_at \
        peer_side peer_at prefix peer_url); passed=0 failed=0; WORK=\$WORK/\$which; with_iptables \$which" \
        >"$WORK/$which/result" 2>&1 &
done
aside=$(jobs -p)

keeps nftables || without "firewalld does not answer here: $(tail -n 1 "$WORK/firewalld.log")"
nft list table inet firewalld >/dev/null 2>&1 || without "this firewalld does not use nftables"

# firewalld makes the chains of a zone when it is first used, and keeps them.
firewall-cmd -q --zone=trusted --add-interface=other0
firewall-cmd -q --zone=trusted --remove-interface=other0
state "$WORK/before"
"$BIN/netsetup" up >"$WORK/out" 2>&1
is "up" $? 0
is "both TUNs are in the trusted zone" "$(zones)" "trusted trusted "
is "at run time only" "$(firewall-cmd --permanent --zone=trusted --list-interfaces)" ""
peer_start
is "packets pass" "$(talk)" hello
check "status says so" grep -q 'trusted by firewalld' <("$BIN/netsetup" status)
sleep 20 | "$BIN/host" tun0 10.0.0.1/24 10.0.1.5 >/dev/null 2>&1 &
wait_for 3 "$BIN/netsetup" doctor
firewall-cmd -q --zone=trusted --remove-interface=tun0
is "without the zone they do not" "$("$BIN/netsetup" doctor >"$WORK/said"; echo $?)" 1
check "the doctor names the zone" grep -q '^BROKEN *zone *tun0 ' "$WORK/said"
bash -c "$(sed -n '/^not healthy/,$s/^  //p' "$WORK/said")" >"$WORK/out" 2>&1
check "what it prints mends it" "$BIN/netsetup" doctor
kill $(pgrep -x host)
stop $peer
"$BIN/netsetup" down >"$WORK/out" 2>&1
is "down" $? 0
restored "firewalld and the machine are what they were"

# An interface that somebody has put elsewhere goes back there.
firewall-cmd -q --zone=work --add-interface=tun1
state "$WORK/before"
"$BIN/netsetup" -q run -- sh -c 'echo $$ >"$0"; exec sleep 30' "$WORK/pid" >/dev/null 2>&1 &
main=$!
wait_for 10 test -s "$WORK/pid"
is "while it runs, it is trusted" "$(zones)" "trusted trusted "
kill -KILL $main
wait_for 10 eval '[ ! -e /run/twintun ]'
is "netsetup killed: it is where it was" "$(zones)" "no zone work "
restored "and everything is what it was"
# shellcheck disable=SC2086
wait $aside
cat "$WORK"/*/result
passed=$((passed + $(cat "$WORK"/*/result | grep -c '^ok')))
failed=$((failed + $(cat "$WORK"/*/result | grep -c '^not ok')))
finish
