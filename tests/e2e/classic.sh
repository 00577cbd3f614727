#!/usr/bin/env bash
#
# The original lab by its own commands, typed as its README has them, on a machine that is not empty:
# forwarding is on already, and somebody else has rules in the raw table. Before and after must be
# the same machine.

. "$(dirname "$0")/lib.sh"
need iptables make ping pgrep
need_tun

conf6=/proc/sys/net/ipv6/conf
ipv6=
[ "$(cat $conf6/default/disable_ipv6 2>/dev/null)" != 0 ] || ipv6=yes

# Everything that the lab may change, as text. Interface numbers and timers are nobody's concern.
snapshot()
{
    echo "# rules"
    iptables-save 2>/dev/null | grep -v '^#' | sed 's/\[[0-9:]*\]//'
    iptables-legacy-save 2>/dev/null | grep -v '^#' | sed 's/\[[0-9:]*\]//'
    ip6tables-save 2>/dev/null | grep -v '^#' | sed 's/\[[0-9:]*\]//'
    ip6tables-legacy-save 2>/dev/null | grep -v '^#' | sed 's/\[[0-9:]*\]//'
    echo "# links"
    ip -o link | sed 's/^[0-9]*: //'
    echo "# addresses"
    ip -o addr | sed 's/^[0-9]*: //; s/valid_lft.*//'
    echo "# routes"
    ip route show table all
    ip -6 route show table all
    echo "# groups"
    ip -6 maddr show dev lo
    echo "# sysctl"
    grep -H . /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/{all,default,lo}/{forwarding,rp_filter}
    grep -H . "$conf6"/{all,default,lo}/{forwarding,accept_ra,accept_redirects} 2>/dev/null
}

# run WHAT TARGET: a make target, which must succeed.
run()
{
    check "$1" make --no-print-directory -s "$2"
}

lab()
{
    snapshot >"$WORK/before"
    run "make network" network
    snapshot >"$WORK/up"
    run "make network, again" network
    snapshot >"$WORK/again"
    is "the second time changed nothing" "$(diff "$WORK/up" "$WORK/again")" ""
    is "both rules are there" "$(iptables -t raw -S PREROUTING |
        grep -cE -- '-i tun[01] .*(NOTRACK|CT --notrack)')" 2
    is "forwarding is on" "$(cat /proc/sys/net/ipv4/ip_forward)" 1
    if [ $ipv6 ]; then
        is "IPv6's, too" "$(cat $conf6/all/forwarding)" 1
        is "and its rules are there" "$(ip6tables -t raw -S PREROUTING | grep -c twintun)" 2
        is "the kernel has its IPv6 addresses" "$(ip -6 -o addr show to fd00::/16 |
            awk '{ print $2, $4 }' | tr '\n' ' ')" "tun0 fd00::1/64 tun1 fd00:1::1/64 "
    fi

    # The names make builds with are the release's.
    make --no-print-directory -s run-peer </dev/null >"$WORK/peer.out" 2>"$WORK/peer.err" &
    peer=$!
    wait_for 5 answers 10.0.1.5
    out=$(echo "hello through make" | make --no-print-directory -s run-host 2>"$WORK/host.err")
    is "make run-host, answered by make run-peer" "$out" "hello through make"
    out=$(echo "and traced" | make --no-print-directory -s trace-host 2>"$WORK/trace.err")
    is "make trace-host" "$out" "and traced"
    check "make trace-host prints packets" grep -q 'Flags \[SEW\]' "$WORK/trace.err"
    check "make view_network" eval 'make --no-print-directory -s view_network >"$WORK/view"'
    [ ! $ipv6 ] || is "it shows both families" "$(grep -cE \
        'address (10.0.[01].1/24|fd00:(1:)?:1/64)|^(ip_forward|forwarding6) +1' "$WORK/view")" 6
    # make does not hand a signal down: end the node itself, and make sees how it ended.
    kill -TERM "$(pgrep -P $peer)"
    wait $peer
    is "make run-peer ends with 0" $? 0

    run "make clean_network" clean_network
    snapshot >"$WORK/after"
    is "the machine is what it was ($1)" "$(diff "$WORK/before" "$WORK/after")" ""
    run "make clean_network, again" clean_network
    snapshot >"$WORK/after2"
    is "and stays so" "$(diff "$WORK/before" "$WORK/after2")" ""
}

lab "on an empty machine"

echo 1 >/proc/sys/net/ipv4/ip_forward
iptables -t raw -A PREROUTING -i eth7 -p udp -j NOTRACK
iptables -t raw -A PREROUTING -i tun0 -p icmp -s 192.0.2.1 -j DROP
iptables -t raw -A OUTPUT -o lo -j ACCEPT
iptables -A FORWARD -i eth7 -j DROP
if [ $ipv6 ]; then
    echo 1 >$conf6/lo/forwarding
    ip6tables -t raw -A PREROUTING -i tun0 -p udp -j NOTRACK
    ip6tables -A FORWARD -i eth7 -j DROP
fi
lab "with forwarding on and foreign rules"

# The parts by themselves.
echo 0 >/proc/sys/net/ipv4/ip_forward
snapshot >"$WORK/before"
run "make preroute" preroute
run "make forwarding" forwarding
is "forwarding is on" "$(cat /proc/sys/net/ipv4/ip_forward)" 1
[ ! $ipv6 ] || is "for IPv6, too" "$(cat $conf6/all/forwarding)" 1
run "make clean_forwarding" clean_forwarding
run "make clean_preroute" clean_preroute
snapshot >"$WORK/after"
is "the parts put back what they changed" "$(diff "$WORK/before" "$WORK/after")" ""
out=$(make --no-print-directory -s view_network 2>&1)
is "make view_network succeeds when nothing is up" $? 0
is "and says so" "$(tail -n 1 <<<"$out")" "network     not up"

is "make build says nothing when nothing is to be done" "$(make --no-print-directory build 2>&1)" ""
help=$(make -s help)
is "make help names every target" "$(sed -n '/^\.PHONY/,$s/.PHONY: all build help tests-build//p
    /^\.PHONY/,$s/^ \+//p' Makefile | tr -d '\\' | tr ' ' '\n' |
    while read -r t; do grep -qE "[ ,]$t( |,|;|$)" <<<"$help" || echo "$t"; done)" ""
check "make install, where the path has a space" make -s install DESTDIR="$WORK/ro ot"
is "all three are there" "$(ls "$WORK/ro ot/usr/local/bin" | tr '\n' ' ')" \
    "twintun-host twintun-netsetup twintun-peer "
is "with their pages" "$(cd "$WORK/ro ot/usr/local/share/man" && echo */*)" \
    "man1/twintun-host.1 man1/twintun-peer.1 man8/twintun-netsetup.8"
check "make uninstall, there" make -s uninstall DESTDIR="$WORK/ro ot"
is "all of it is gone" "$(find "$WORK/ro ot" -type f)" ""

finish
