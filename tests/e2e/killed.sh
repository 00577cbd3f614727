#!/usr/bin/env bash
#
# netsetup is killed (SIGKILL) before and after each single operation of `up` and of `down`; the next
# `down` leaves the machine as it was, with somebody else's rules in every table, with forwarding on
# and off before, in both variants of iptables and with nftables; likewise where it makes a way out.
# Each in a network of its own.

. "$(dirname "$0")/lib.sh"
need_tun
need cc
case $BIN in *asan*) echo "skip - $NAME # the sanitizers' library wants to be the first"; exit 77 ;; esac
cc -shared -fPIC -o "$WORK/killed.so" tests/tools/preload/killed.c || exit 1

# killed AT COMMAND: true if it was, before it was through.
killed()
{
    KILL_AT=$1 LD_PRELOAD=$WORK/killed.so "$BIN/netsetup" -q "$2" --backend "$backend" $options >/dev/null 2>&1
    [ $? -eq 137 ]
} 2>/dev/null

# back: whether `down` brings back what was; $bad has the first time that it did not.
back()
{
    "$BIN/netsetup" -q down >"$dir/said" 2>&1
    machine "$dir/after"
    cmp -s "$dir/before" "$dir/after" || { [ "$bad" ] || bad="$1: $(cat "$dir/said"; diff "$dir/before" "$dir/after")"; }
}

foreign()
{
    local tool chain

    for tool in iptables-nft ip6tables-nft iptables-legacy ip6tables-legacy; do
        [ "$backend" = "${tool/ip6/ip}" ] || [ "$backend" = nft ] || continue
        for chain in raw/PREROUTING raw/OUTPUT mangle/PREROUTING mangle/FORWARD filter/INPUT filter/FORWARD \
            nat/PREROUTING nat/POSTROUTING; do
            $tool -w -t "${chain%/*}" -A "${chain#*/}" -d 198.18.0.1 -j ACCEPT ||
                $tool -w -t "${chain%/*}" -A "${chain#*/}" -d 2001:db8::1 -j ACCEPT
        done
        $tool -w -t raw -I PREROUTING -i tun0 -j NOTRACK
    done 2>/dev/null
    nft 'add table ip twintun; add chain ip twintun other { type filter hook input priority 3; };
        add rule ip twintun other iifname "tun0" accept' 2>/dev/null
    echo "$forward" | tee /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding >/dev/null
    echo 1 >/proc/sys/net/ipv4/conf/lo/forwarding
}

one_case()
{
    local n ups=0 downs=0 bad=

    mount -t tmpfs tmpfs /run
    ip link set lo up
    [ -n "$bare" ] || foreign
    ip link add out0 type veth peer name out1
    machine "$dir/before"
    for n in $(seq 1 100); do
        killed $n up || break
        ups=$n
        back "up, at $n"
    done
    for n in $(seq 1 100); do
        "$BIN/netsetup" -q up --backend "$backend" $options >/dev/null 2>&1
        killed $n down || break
        downs=$n
        back "down, at $n"
    done
    "$BIN/netsetup" -q down
    is "$backend, forwarding $forward$options: restored after each" "$bad" ""
    check "that was at every operation" test $ups -ge $least -a $downs -ge $least
}

# one BACKEND FORWARD LEAST [OPTION...]: at least how often, twice for each operation but the last.
one()
{
    backend=$1 forward=$2 least=$3
    shift 3
    options=${*:+ $*}
    dir=$WORK/$backend-$forward$#
    mkdir "$dir"
    unshare -nm bash -uc "$(declare -f); $(declare -p BIN WORK NAME backend forward least options bare dir)
        passed=0 failed=0; one_case" >"$dir/result" 2>&1 &
}

bare=
for forward in 0 1; do
    one iptables-nft $forward $((26 - 4 * forward))
    one iptables-legacy $forward $((26 - 4 * forward))
    one nft $forward $((26 - 4 * forward))
done
# One node, so that each kind of rule is there once. Where there was no rule of anybody, the tables and
# chains are ours, too; the legacy variant's stay for good.
way_out="--only rules --internet out0 --nodes tun0=10.0.0.1/24,fd00::1/64"
one iptables-legacy 1 6 $way_out
bare=yes
one iptables-nft 1 14 $way_out
one nft 1 14 $way_out
wait
cat "$WORK"/*/result
passed=$(cat "$WORK"/*/result | grep -c '^ok')
failed=$(cat "$WORK"/*/result | grep -c '^not ok')
finish
