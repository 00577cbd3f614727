#!/usr/bin/env bash
#
# netsetup doctor: the lab is broken in one way after another, each in a network of its own. It says
# at which hop, and the commands that it prints make it healthy. Two cases at a time.

. "$(dirname "$0")/lib.sh"
need_tun
need iptables nft

# ---- one case, in its own network and mounts ----

# node NAME ARGUMENT...: host or peer, which stays as long as the case.
node()
{
    "$BIN/$1" "${@:2}" < <(exec sleep 30) >/dev/null 2>&1 &
}

doctor()
{
    "$BIN/netsetup" doctor $options >"$dir/said" 2>"$dir/err"
}

# broken: the hops that it called so, as "NAME WAY"
broken()
{
    awk '$1 == "BROKEN" { print $2, ($4 == ">" ? $3 " > " $5 : $3 ~ /^tun/ ? $3 : "") }' "$dir/said"
}

# mend: every command that it prints; a node goes on running.
mend()
{
    local line

    sed -n '/^not healthy/,$s/^  //p' "$dir/said" >"$dir/mend"
    while IFS= read -r line; do
        case $line in
        */host* | */peer*) bash -c "$line" < <(exec sleep 30) >/dev/null 2>&1 & sleep 0.5 ;;
        *) bash -c "$line" </dev/null >>"$dir/out" 2>&1 || echo "'$line' failed" >>"$dir/out" ;;
        esac
    done <"$dir/mend"
}

one_case()
{
    local rounds=0

    dir=$1 options=$5
    shift
    mount -t tmpfs tmpfs /run
    ip link set lo up
    # a device file that every user may open, whatever the machine's allows
    mknod -m 666 "$dir/tun" c 10 200 2>/dev/null && mount --bind "$dir/tun" /dev/net/tun
    "$BIN/netsetup" -q up $options 2>"$dir/out" || { skip "$1" "$(cat "$dir/out")"; return; }
    node peer --local fd00:1::5 tun1 10.0.1.1/24 10.0.0.7
    peer=$!
    node host tun0 10.0.0.1/24 10.0.1.5
    host=$!
    wait_for 10 doctor || { not_ok "$1: healthy before" "$(broken)" "$(cat "$dir/err")"; return; }
    eval "$3" >"$dir/out" 2>&1 || { skip "$1" "cannot be done here: $(tail -n 1 "$dir/out")"; return; }
    nft list tables | sort >"$dir/tables"
    doctor
    is "$1: not healthy" $? 1
    nft list tables | sort | diff "$dir/tables" - >"$dir/diff"
    is "$1: nothing is left of looking" "$(cat "$dir/diff")" ""
    broken >"$dir/broken"
    check "$1: it says where" grep -E "^($2)" "$dir/broken"
    while [ $((rounds += 1)) -le 3 ]; do
        mend
        doctor && ok "$1: what it prints mends it" && return
        sleep 0.1
    done
    not_ok "$1: what it prints mends it" "$(cat "$dir/said" "$dir/out" "$dir/err")"
}

# ---- all cases ----

cases=0
# ill NAME HOP COMMAND [OPTION]: what COMMAND breaks is found at a hop that begins with HOP.
ill()
{
    local dir=$WORK/$((cases += 1))

    mkdir "$dir"
    while [ "$(jobs -pr | wc -l)" -ge 3 ]; do
        wait -n
    done
    unshare -nm bash -uc "$(declare -f); $(declare -p BIN WORK NAME); passed=0 failed=0; one_case \"\$@\"" \
        - "$dir" "$1" "$2" "$3" "${4-}" >"$dir/result" 2>&1 &
}

ill "no ip_forward" "forwarding $" 'echo 0 >/proc/sys/net/ipv4/ip_forward'
ill "no forwarding of IPv6" "forwarding6" 'echo 0 >/proc/sys/net/ipv6/conf/all/forwarding'
ill "no forwarding from tun0" "forwarding tun0" 'echo 0 >/proc/sys/net/ipv4/conf/tun0/forwarding'
ill "FORWARD drops by default" "packet tun0 > tun1" 'iptables -P FORWARD DROP'
ill "FORWARD of IPv6 drops by default" "packet6 tun0 > tun1" 'ip6tables -P FORWARD DROP'
ill "FORWARD drops by default, legacy" "packet tun1 > tun0" 'iptables-legacy -P FORWARD DROP'
ill "Docker's FORWARD" "packet tun0" \
    'iptables -P FORWARD DROP; iptables -N DOCKER-USER; iptables -A FORWARD -j DOCKER-USER;
    iptables -A DOCKER-USER -j RETURN'
ill "a chain of nftables that drops" "packet tun0" \
    'nft "add table inet f; add chain inet f fw { type filter hook forward priority 0; policy drop; }"'
ill "a rule of nftables that drops one way" "packet tun1 > tun0" \
    'nft "add table ip f; add chain ip f fw { type filter hook forward priority 7; };
        add rule ip f fw iifname tun1 tcp dport 8000 drop"'
ill "one behind the routing that drops" "packet6 tun0" \
    'nft "add table ip6 f; add chain ip6 f post { type filter hook postrouting priority 10; policy drop; }"'
ill "one that drops before connection tracking" "packet tun0" \
    'nft "add table inet f; add chain inet f pre { type filter hook prerouting priority -210; };
        add rule inet f pre iifname tun0 drop"'
ill "a strict reverse-path filter and a wrong route" "reverse-path tun0 > tun1" \
    'echo 1 >/proc/sys/net/ipv4/conf/tun0/rp_filter; ip route add 10.0.0.7/32 dev tun1'
ill "link down" "link tun1" 'ip link set tun1 down'
ill "address missing" "address tun0" 'ip address delete 10.0.0.1/24 dev tun0'
ill "address of IPv6 missing" "address tun1" 'ip address delete fd00:1::1/64 dev tun1'
ill "route missing" "route tun0 > tun1" 'ip route delete 10.0.1.0/24'
ill "route of IPv6 missing" "route6 tun1 > tun0" 'ip -6 route delete fd00::/64 dev tun0'
ill "a route that leads to nowhere" "route tun0 > tun1" 'ip route add blackhole 10.0.1.5/32'
ill "the node's address on the machine" "route tun0 > tun1" 'ip address add 10.0.1.5/32 dev lo'
ill "rules missing" "tracking tun0" 'iptables -w -t raw -F'
ill "rules missing, and INVALID dropped" "tracking tun0" \
    'iptables -w -t raw -F; iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP'
ill "rules of IPv6 missing" "tracking6 tun1" 'ip6tables -w -t raw -F'
ill "a TUN of somebody else" "device tun0" \
    'kill $host; wait $host; ip link delete tun0; ip tuntap add dev tun0 mode tun user 65534'
ill "a TUN that is busy" "node tun1" 'kill $peer; wait $peer; cp "$BIN/peer" "$dir/other"
    "$dir/other" tun1 10.0.1.1/24 10.0.0.7 < <(exec sleep 30) & wait_for 3 pgrep -x other'
ill "no node attached" "node tun1" 'kill $peer; wait $peer; true'
ill "an MTU below 1280" "mtu tun0" 'ip link set tun0 mtu 1000'
ill "a raw rule that drops" "packet tun0 > tun1" 'iptables -w -t raw -A PREROUTING -i tun0 -j DROP'
ill "a raw rule that drops, legacy" "packet tun1 > tun0" \
    'iptables-legacy -w -t raw -A PREROUTING -i tun1 -j DROP'
ill "a mangle rule that drops" "packet tun0" 'iptables -w -t mangle -A FORWARD -i tun0 -j DROP'
ill "no device" "device tun1" 'ip link delete tun1'
ill "a device of another kind" "device tun1" \
    'kill $peer; wait $peer; ip link delete tun1; ip tuntap add dev tun1 mode tap'
ill "traffic control that drops" "packet tun0" \
    'tc qdisc add dev tun0 clsact && tc filter add dev tun0 ingress matchall action drop'
# The table of connection tracking is the whole machine's, so what is said of it is played: full, of
# three, and a larger one when that is written.
ill "a full table of connection tracking" "tracking tun0" \
    '[ -e /proc/sys/net/netfilter/nf_conntrack_max ] && echo 3 >"$dir/count" && echo 3 >"$dir/max" &&
        mount --bind "$dir/count" /proc/sys/net/netfilter/nf_conntrack_count &&
        mount --bind "$dir/max" /proc/sys/net/netfilter/nf_conntrack_max' "--backend none"
ill "a device file for root only" "privilege" 'chmod 600 "$dir/tun"' \
    "--user 65534"
ill "the same, without saying again whose the lab is" "privilege" 'chmod 600 "$dir/tun"; options=' "--user 65534"
wait
for dir in $(seq 1 $cases); do
    cat "$WORK/$dir/result"
done
passed=$(cat "$WORK"/*/result | grep -c '^ok')
failed=$(cat "$WORK"/*/result | grep -c '^not ok')
"$BIN/netsetup" doctor --json >"$WORK/json"
is "as JSON it exits alike" $? 1
if command -v python3 >/dev/null; then
    check "which a program can read" python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
assert not d["healthy"] and d["broken"] == sum(h["verdict"] == "BROKEN" for h in d["hops"])
assert set(d["mend"]) == {h["mend"] for h in d["hops"] if "mend" in h}' "$WORK/json"
fi
command -v capsh >/dev/null && is "without privilege: 4" "$(capsh --drop=cap_net_admin -- -c "exec '$BIN/netsetup' doctor" \
    >/dev/null 2>&1; echo $?)" 4
is "every case has said something" "$(grep -L -E '^(ok|not ok|skip)' "$WORK"/*/result)" ""
finish
