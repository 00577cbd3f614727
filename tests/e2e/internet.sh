#!/usr/bin/env bash
#
# netsetup --internet: a node behind source NAT, with each keeper of rules:
#
#   host --- tun0 [this namespace: out0, 203.0.113.1] === 203.0.113.2 [world]
#   peer --- tun1
#
# The world knows no way to 10.0.0.0/24, so it can only answer what has this machine's address. Its
# being outside is played: nothing leaves the two namespaces.

. "$(dirname "$0")/lib.sh"
need_tun
need iptables nft
TOOLS=${TOOLS:-build/release/tools}
netsetup=$BIN/netsetup

world_up()
{
    ip netns add world && ip -n world link set lo up &&
        ip link add out0 type veth peer name in0 netns world &&
        ip addr add 203.0.113.1/24 dev out0 && ip -n world addr add 203.0.113.2/24 dev in0 || return 1
    can_speak 6 && ip addr add 2001:db8::1/64 dev out0 nodad &&
        ip -n world addr add 2001:db8::2/64 dev in0 nodad
    ip link set out0 addrgenmode none up && ip -n world link set in0 up
} 2>"$WORK/world.err"
# pings ADDRESS: host does, and how many of two answers came.
pings()
{
    local side=10.0.0.1/24

    [ "${1#*:}" = "$1" ] || side=fd00::1/64
    "$BIN/host" --ping --count 2 --interval 0.1 --wait 0.5 tun0 $side "$1" 2>&1 |
        sed -nE 's/.* ([0-9]+) received.*/\1/p'
}

# session: host connects to the world; each sends a file.
session()
{
    rm -f "$WORK/kernel.err"
    ip netns exec world "$TOOLS/ksock" listen 203.0.113.2 9000 <"$WORK/theirs" >"$WORK/got" 2>"$WORK/kernel.err" &
    wait_for 5 grep -q listening "$WORK/kernel.err"
    "$BIN/host" --port 9000 tun0 10.0.0.1/24 203.0.113.2 <"$WORK/ours" >"$WORK/got.theirs" 2>"$WORK/node.err"
    wait $!
}

# tracked ADDRESS: whether connection tracking knows it.
tracked()
{
    grep -q "dst=$1 " /proc/net/nf_conntrack
}

# finds WHAT HOP COMMAND: what COMMAND breaks doctor finds at HOP, and what it prints mends it.
finds()
{
    eval "$3"
    "$netsetup" doctor >"$WORK/said"
    check "$backend, doctor: $1" grep -qE "^BROKEN +$2" "$WORK/said"
    bash -c "$(sed -n '/^not healthy/,$s/^  //p' "$WORK/said" | grep -v -e /host -e /peer)" >"$WORK/out" 2>&1
    "$netsetup" doctor >"$WORK/said"
    is "$backend, doctor: what it prints mends it" "$(grep -E "^BROKEN +$2" "$WORK/said")" ""
}

finds_more()
{
    finds "what is not tracked" "nat +out0" \
        'iptables -w -t raw -A PREROUTING -i tun0 -m comment --comment twintun -j NOTRACK'
    finds "FORWARD drops" "filter +tun0 > out0" 'iptables -P FORWARD DROP'
    iptables -P FORWARD ACCEPT && iptables -F FORWARD && nft delete table ip filter
    echo 3 >"$WORK/count" && echo 3 >"$WORK/max" &&
        mount --bind "$WORK/count" /proc/sys/net/netfilter/nf_conntrack_count &&
        mount --bind "$WORK/max" /proc/sys/net/netfilter/nf_conntrack_max &&
        finds "there is no room to track more (played)" "nat +out0" : &&
        umount /proc/sys/net/netfilter/nf_conntrack_count /proc/sys/net/netfilter/nf_conntrack_max
    finds "nothing comes back" "forwarding +out0" 'echo 0 >/proc/sys/net/ipv4/conf/out0/forwarding'
}

# prepare: the world, and what must be there again afterwards.
prepare()
{
    mount -t tmpfs tmpfs /run && ip link set lo up
    if ! world_up; then
        skip "$backend" "no second namespace here: $(head -1 "$WORK/world.err")"
        return 1
    fi
    # One of the legacy variant's tables, once it was asked for, stays.
    iptables-legacy -w -t nat -S >"$WORK/out" 2>&1 && iptables-legacy -w -t raw -S >/dev/null &&
        ip6tables-legacy -w -t nat -S >/dev/null && ip6tables-legacy -w -t raw -S >/dev/null
    head -c 300000 /dev/urandom >"$WORK/ours"
    head -c 300000 /dev/urandom >"$WORK/theirs"
    machine "$WORK/before"
}

# case_rules COMMAND: with one keeper; the command takes the rules of the way out away.
case_rules()
{
    "$netsetup" -q --backend $backend up
    is "$backend: without it nobody outside can answer" "$(pings 203.0.113.2)" 0
    "$netsetup" --internet out0 up 2>"$WORK/out"
    is "$backend: where all is kept out of connection tracking, it refuses" $? 5
    check "and says what to do" grep -q 'take the lab down first' "$WORK/out"
    "$netsetup" -q down
    check "$backend: up" "$netsetup" -q --backend $backend --internet out0 up
    is "$backend: twice changes nothing" "$("$netsetup" --internet out0 up 2>&1)" \
        "netsetup: nothing to do: it is up already"
    is "$backend: nor does it without the option" "$("$netsetup" up 2>&1)" \
        "netsetup: nothing to do: it is up already"
    is "$backend: the outside answers" "$(pings 203.0.113.2)" 2
    can_speak 6 && is "$backend: by IPv6, too" "$(pings 2001:db8::2)" 2
    check "$backend: connection tracking has seen that" tracked 203.0.113.2
    session
    is "$backend: a session each way" "$(sum "$WORK/got") $(sum "$WORK/got.theirs")" \
        "$(sum "$WORK/ours") $(sum "$WORK/theirs")"
    peer_start
    is "$backend: peer answers as before" "$(pings 10.0.1.5)" 2
    check "$backend: which connection tracking has not seen" eval '! tracked 10.0.1.5'
    "$netsetup" status >"$WORK/said"
    is "$backend: status says what was translated, and what was not tracked" \
        "$(grep -cE 'MASQUERADE for what is from 10.0.0.0/24: [1-9].*, added by|NOTRACK .* tun0 for the lab: [1-9].*added by' "$WORK/said")" 2
    "$netsetup" --json status >"$WORK/json"
    finds "a rule is missing" "nat +out0" "$1"
    [ "$backend" != iptables-nft ] || finds_more
    stop $peer
    is "$backend: the outside still answers" "$(pings 203.0.113.2)" 2
    "$netsetup" -q down
    machine "$WORK/after"
    is "$backend: down takes it away" "$(diff "$WORK/before" "$WORK/after")" ""
}
# What cannot be.
refuses()
{
    "$netsetup" "${@:3}" up >"$WORK/out" 2>&1
    is "$1: $2" $? "$2"
    machine "$WORK/after"
    is "$1: nothing was changed" "$(diff "$WORK/before" "$WORK/after")" ""
}
case_others()
{
    refuses "an interface that is not there" 1 --internet out9
    refuses "a node's own" 2 --internet tun1
    refuses "no keeper of rules" 1 --internet out0 --backend none
    refuses "a part without rules" 2 --internet out0 --only devices
    refuses "too many networks" 5 --internet out0 --nodes \
        "$(for i in 1 2 3 4 5 6 7 8; do echo "n$i=10.7.$i.1/24,fd07:$i::1/64"; done)"
    "$netsetup" --internet out0 run --rootless -- true >"$WORK/out" 2>&1
    is "a network of its own has no way out" $? 2
    "$netsetup" -q --internet out0 run -- sh -c "$netsetup status" >"$WORK/said"
    check "with run, as well" grep -q 'internet    through out0' "$WORK/said"
    "$netsetup" -q --lab a up --internet out0
    "$netsetup" -q --lab b up
    "$netsetup" -q --lab a down
    check "of two labs, the other one stays up" "$netsetup" --lab b status
    is "and the way out is gone" "$(iptables -w -t nat -S POSTROUTING)" "-P POSTROUTING ACCEPT"
    "$netsetup" -q --lab b down
    "$netsetup" -q --internet out0 up
    finds "the interface is down" "internet +out0" 'ip link set out0 down'
    "$netsetup" -q down
    can_speak 6 && ip addr add 2001:db8::1/64 dev out0 nodad # what went as it was set down
    machine "$WORK/after"
    is "and then all" "$(diff "$WORK/before" "$WORK/after")" ""
}

# one BACKEND CASE [COMMAND]: in a network of its own.
one()
{
    mkdir "$WORK/$1-$2"
    unshare -nm bash -uc "$(declare -f); $(declare -p BIN WORK NAME TOOLS netsetup host_side host_at peer_side \
        peer_at prefix peer_url); passed=0 failed=0; backend=\$1; WORK=\$WORK/\$1-\$2; prepare && \"\${@:2}\"" - "$@" \
        >"$WORK/$1-$2/result" 2>&1 &
}
one iptables-nft case_rules 'iptables-nft -w -t nat -F POSTROUTING'
one iptables-legacy case_rules 'iptables-legacy -w -t nat -F POSTROUTING'
one nft case_rules 'nft flush chain ip twintun postrouting'
one iptables case_others
wait
cat "$WORK"/*/result
passed=$(cat "$WORK"/*/result | grep -c '^ok')
failed=$(cat "$WORK"/*/result | grep -c '^not ok')
is "each case has said something" "$(grep -L -E '^(ok|not ok|skip)' "$WORK"/*/result)" ""
finish
